import { shortened, textOf } from './shown.js'

/** Throws when an internal invariant does not hold: a defect of this library, never of its caller. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Invariant violated: ${message}. Please report this as a bug.`)
}

/** Characters of a value that a message repeats. */
const SHOWN_CHARS_MAX = 100

function describe(value: unknown): string {
  const text = shortened(textOf(value), SHOWN_CHARS_MAX)
  return typeof value === 'string' ? `'${text}' (string)` : `${text} (${typeof value})`
}

/** Caller's mistake: the wrong value of the right type. Carries no code, because nobody should catch it. */
export function invalidArgument(name: string, expected: string, actual: unknown): RangeError {
  return new RangeError(`${name}: expected ${expected}, got ${describe(actual)}`)
}

/** Returns `value` if it is an integer ≥ 1, else throws a `RangeError` that names it. */
export function positiveInteger(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) throw invalidArgument(name, 'a positive integer', value)
  return value
}

/** Returns `value` if it is an integer ≥ 0, else throws a `RangeError` that names it. */
export function nonNegativeInteger(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw invalidArgument(name, 'an integer of 0 or more', value)
  return value
}
