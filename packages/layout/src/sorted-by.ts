import type { Column } from './column.js'

/** More, and clearing their counts would cost more than a further round. */
const DIGIT_BITS_MAX = 11

/**
 * Numbers of rows, sorted by the integers of a column; rows of equal ones stay as they are, so that sorting by the least important
 * column first sorts by several. Digit by digit: comparing costs ten times as much, and a plan of scattered blocks is mostly this.
 * May sort in place.
 */
export function sortedBy(order: Uint32Array, column: Column): Uint32Array {
  const { least, most, lowBits } = rangeOf(order, column)
  const digits = 2 ** Math.min(DIGIT_BITS_MAX, 32 - Math.clz32(order.length))
  const ends = new Uint32Array(digits)
  let from = order
  let into: Uint32Array = new Uint32Array(order.length)
  for (let scale = 2 ** -lowBits; (most - least) * scale >= 1; scale /= digits) {
    sortByDigit(from, into, { column, least, scale }, ends)
    ;[from, into] = [into, from]
  }
  return from
}

/** The lowest digit of `(key - least) × scale`. */
interface Digit {
  readonly column: Column
  readonly least: number
  readonly scale: number
}

/** `lowBits`: how many of the lowest bits are the same in all, as places at equal distances have them; they decide nothing. */
function rangeOf(order: Uint32Array, { rows, at, step }: Column): { least: number; most: number; lowBits: number } {
  const first = rows[at + (order[0] ?? 0) * step] ?? 0
  let [least, most, differing] = [first, first, 0]
  for (const row of order) {
    const key = rows[at + row * step]!
    if (key < least) least = key
    if (key > most) most = key
    differing |= key ^ first
  }
  const lowBits = differing === 0 ? 32 : 31 - Math.clz32(differing & -differing)
  return { least, most, lowBits }
}

/** `ends` has a place for each digit. `& mask` also cuts the part behind the point. */
function sortByDigit(from: Uint32Array, into: Uint32Array, { column, least, scale }: Digit, ends: Uint32Array): void {
  const { rows, at, step } = column
  const mask = ends.length - 1
  ends.fill(0)
  for (const row of from) ends[((rows[at + row * step]! - least) * scale) & mask]!++
  for (let digit = 0, end = 0; digit < ends.length; digit++) {
    const begin = end
    end += ends[digit]!
    ends[digit] = begin
  }
  for (const row of from) into[ends[((rows[at + row * step]! - least) * scale) & mask]!++] = row
}
