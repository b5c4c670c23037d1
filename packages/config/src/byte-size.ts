import { invalidArgument } from '@kvbm/core'

const UNIT_BYTES: Readonly<Record<string, bigint>> = Object.freeze({
  B: 1n,
  kB: 1000n,
  KB: 1000n,
  MB: 1000n ** 2n,
  GB: 1000n ** 3n,
  TB: 1000n ** 4n,
  PB: 1000n ** 5n,
  KiB: 1024n,
  MiB: 1024n ** 2n,
  GiB: 1024n ** 3n,
  TiB: 1024n ** 4n,
  PiB: 1024n ** 5n,
})

const EXPECTED = "a number of bytes such as 4096, '24GiB' (24 × 2^30) or '10GB' (10 × 10^9), below 2^53"

/**
 * Bytes of `'24GiB'` (2^30 each), `'10GB'` (10^9 each), `'512 MiB'`, `'4096'` or a number. Units are case-sensitive, so
 * that nobody reads bits or guesses. Computed exactly; a fraction of a byte is dropped. Throws `RangeError`.
 */
export function parseBytes(size: string | number): number {
  if (typeof size === 'number') return wholeBytes(size)
  const match = /^(\d{1,32})(?:\.(\d{1,32}))? ?([A-Za-z]*)$/.exec(typeof size === 'string' ? size.trim() : '')
  const unit = match === null ? undefined : UNIT_BYTES[match[3] || 'B']
  if (match === null || unit === undefined) throw invalidArgument('bytes', EXPECTED, size)
  const fraction = match[2] ?? ''
  const bytes = (BigInt(match[1]! + fraction) * unit) / 10n ** BigInt(fraction.length)
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) throw invalidArgument('bytes', EXPECTED, size)
  return Number(bytes)
}

function wholeBytes(size: number): number {
  if (!Number.isSafeInteger(size) || size < 0) throw invalidArgument('bytes', EXPECTED, size)
  return size
}

/** Whether `parseBytes` accepts it. */
export function isByteSize(size: unknown): size is string | number {
  try {
    parseBytes(size as string | number)
    return true
  } catch {
    return false
  }
}

/** `8388608` as `8 MiB`: the largest binary unit with at most two decimals, for messages. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1)
  return `${Number((bytes / 1024 ** power).toFixed(2))} ${units[power]}`
}
