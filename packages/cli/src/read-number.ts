import type { UsageErrorOf } from './command.js'

/** The whole number given for a flag, from 1 on (or from `least`); undefined when the flag is. */
export function readNumber(
  flag: string,
  text: string | undefined,
  usageError: UsageErrorOf,
  { least = 1, most = Number.MAX_SAFE_INTEGER } = {},
): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least} on` : `from ${least} to ${most}`
  throw usageError(`--${flag}: expected a whole number ${range}, got '${text}'.`)
}
