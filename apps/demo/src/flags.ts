import { parseArgs } from 'node:util'
import { nearestName } from '@kvbm/core'
import { UsageError } from './usage-error.js'

/** The flags that a scene knows: those that take a value, and switches. */
export type FlagTable = Readonly<Record<string, { readonly type: 'string' | 'boolean' }>>

/** Flags as they were given, by name without dashes; a switch has an empty text. */
export type Flags = ReadonlyMap<string, string>

/** Throws `UsageError` for what the scene does not know, with the nearest flag that it does. */
export function parseFlags(args: readonly string[], table: FlagTable): Flags {
  const flags = new Map<string, string>()
  for (const token of parseArgs({ args: [...args], options: table, strict: false, tokens: true }).tokens) {
    if (token.kind !== 'option')
      throw new UsageError(`Only flags are expected here, got '${args[token.index]}'. See --help.`)
    flags.set(token.name, givenValue(token, table))
  }
  return flags
}

function givenValue(
  { name, rawName, value }: { name: string; rawName: string; value?: string | undefined },
  table: FlagTable,
) {
  const flag = Object.hasOwn(table, name) ? table[name] : undefined
  if (flag === undefined) throw unknownFlag(name, rawName, table)
  if (flag.type === 'boolean' && value !== undefined)
    throw new UsageError(`${rawName}: takes no value, got '${value}'. Leave the value out.`)
  if (flag.type === 'string' && (value === undefined || value === '' || value.startsWith('--')))
    throw new UsageError(`${rawName}: expected a value, got ${value || 'nothing'}. See --help.`)
  return value ?? ''
}

function unknownFlag(name: string, rawName: string, table: FlagTable): UsageError {
  const near = nearestName(name, Object.keys(table))
  return new UsageError(
    `There is no flag ${rawName}.${near === undefined ? '' : ` Did you mean --${near}?`} See --help.`,
  )
}

/** What a number may be, and what it is when it is not given. */
export interface WholeNumber {
  readonly fallback: number
  readonly least: number
  readonly most?: number
}

/** The number given for a flag. Throws `UsageError`. */
export function wholeNumber(flags: Flags, name: string, expected: WholeNumber): number {
  const { fallback, least, most = Number.MAX_SAFE_INTEGER } = expected
  const text = flags.get(name)
  if (text === undefined) return fallback
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new UsageError(`--${name}: expected a whole number from ${least} to ${most}, got '${text}'. See --help.`)
}

const PAGE_BYTES = 4096
const BLOCK_BYTES_MAX = 2 ** 30

/** The number given for `--block-bytes`. Throws `UsageError`. */
export function blockBytesOf(flags: Flags, fallback: number): number {
  const blockBytes = wholeNumber(flags, 'block-bytes', { fallback, least: PAGE_BYTES, most: BLOCK_BYTES_MAX })
  if (blockBytes % PAGE_BYTES === 0) return blockBytes
  const near = Math.ceil(blockBytes / PAGE_BYTES) * PAGE_BYTES
  throw new UsageError(`--block-bytes: expected a multiple of ${PAGE_BYTES}, got ${blockBytes}. Try ${near}.`)
}
