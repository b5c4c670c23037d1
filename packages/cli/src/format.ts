import { formatBytes } from '@kvbm/config'

export { formatBytes }

/** `1234` as `1,234`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}

/** `2 models`, `1 model`. */
export function counted(count: number, thing: string): string {
  return `${formatCount(count)} ${thing}${count === 1 ? '' : 's'}`
}

const UNITS = [
  { name: 'day', ms: 86_400_000 },
  { name: 'hour', ms: 3_600_000 },
  { name: 'minute', ms: 60_000 },
] as const

/** How long ago something was, in the largest unit that fits. */
export function formatAge(ageMs: number): string {
  const unit = UNITS.find(({ ms }) => ageMs >= ms)
  return unit === undefined ? 'just now' : `${counted(Math.floor(ageMs / unit.ms), unit.name)} ago`
}

/** Rows under a head, columns as wide as what is in them; those of `right` end flush. */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (right.includes(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd()
  return [head, ...rows].map(line).join('\n')
}

/** Data for programs. */
export function printJson(data: unknown): void {
  console.log(JSON.stringify(data, null, 2))
}
