import { type Spread, spreadOf } from './harness.js'

export type Unit = 'µs' | 'ms' | 'bytes' | 'times' | '%' | ''

/** What the median must be. */
export interface Goal {
  readonly atLeast?: number
  readonly atMost?: number
}

/** One number as it was over rounds. Plain JSON. */
export interface Figure extends Spread {
  readonly name: string
  readonly unit: Unit
  /** How many rounds. */
  readonly n: number
  readonly goal?: Goal
  readonly met?: boolean
}

/** What one subject found. Plain JSON. */
export interface Report {
  readonly name: string
  /** What was done, in words. */
  readonly work: string
  readonly setup: Readonly<Record<string, string | number | boolean>>
  readonly figures: readonly Figure[]
  /** What was not measured, and other things to know. */
  readonly notes: readonly string[]
}

export function figure(name: string, unit: Unit, values: readonly number[], goal?: Goal): Figure {
  const spread = spreadOf(values)
  const base = { name, unit, n: values.length, ...spread }
  return goal === undefined ? base : { ...base, goal, met: meets(spread.median, goal) }
}

/** `ours` against `theirs`, round by round, so that a machine that slows down meanwhile slows both. */
export function ratios(theirs: readonly number[], ours: readonly number[]): number[] {
  return ours.map((value, round) => theirs[round]! / value)
}

function meets(value: number, { atLeast, atMost }: Goal): boolean {
  return (atLeast === undefined || value >= atLeast) && (atMost === undefined || value <= atMost)
}

export function formatReport({ name, work, setup, figures, notes }: Report): string {
  const settings = Object.entries(setup).map(([key, value]) => `${key} ${value}`)
  return [
    `\n${name}: ${work}`,
    `  ${settings.join(', ')}`,
    ...figures.map(formatFigure),
    ...notes.map((note) => `  ${note}`),
  ].join('\n')
}

function formatFigure({ name, unit, median, min, max, n, goal, met }: Figure): string {
  const spread = n === 1 ? '' : `  (${show(min, unit)} – ${show(max, unit)}, n ${n})`
  return `  ${name.padEnd(48)} ${show(median, unit)} ${unit}${spread}${goal === undefined ? '' : `  ${formatGoal(goal, met)}`}`
}

function formatGoal({ atLeast, atMost }: Goal, met: boolean | undefined): string {
  const wanted = atLeast === atMost ? `${atMost}` : atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`
  return `goal ${wanted}: ${met === true ? 'met' : 'missed'}`
}

function show(value: number, unit: Unit): string {
  if (unit === 'bytes' || (unit === '' && Number.isInteger(value))) return Math.round(value).toLocaleString('en')
  return value.toFixed(Math.abs(value) < 10 ? 2 : 1)
}
