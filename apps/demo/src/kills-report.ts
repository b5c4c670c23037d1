import { describeMachine } from './machine.js'
import { isIntact, type Survivors } from './survivors.js'

/** One kill, and what was found after it. */
export interface Kill extends Survivors {
  /** Which kill it was, from 1 on. */
  readonly run: number
  /** Blocks that the killed process itself had reported as committed. */
  readonly own: number
}

/** What was asked for, and how long it took. */
export interface KillsTask {
  readonly seed: number
  readonly blockBytes: number
  readonly lives: number
  readonly seconds: number
}

/** All kills in a few numbers, and each that went wrong as a whole: as long for a thousand as for twenty. */
export function reportKills(kills: readonly Kill[], { seconds, ...task }: KillsTask): object {
  const failures = kills.filter((kill) => !isIntact(kill))
  return {
    runs: kills.length,
    intact: kills.length - failures.length,
    ...task,
    committed: sum(kills, ({ own }) => own),
    verified: sum(kills, ({ verified }) => verified),
    lost: sum(kills, ({ lost }) => lost),
    wrong: sum(kills, ({ wrong }) => wrong),
    commitsBeforeKill: spread(kills.map(({ own }) => own)),
    failures,
    seconds: rounded(seconds),
    secondsPerKill: rounded(seconds / Math.max(1, kills.length)),
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
  }
}

function sum(kills: readonly Kill[], of: (kill: Kill) => number): number {
  return kills.reduce((total, kill) => total + of(kill), 0)
}

function spread(numbers: readonly number[]): object {
  const sorted = [...numbers].sort((a, b) => a - b)
  return { least: sorted[0] ?? 0, median: sorted[sorted.length >> 1] ?? 0, most: sorted.at(-1) ?? 0 }
}

function rounded(seconds: number): number {
  return Number(seconds.toFixed(2))
}
