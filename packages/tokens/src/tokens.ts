import { invalidArgument } from '@kvbm/core'

/** Token ids as a caller has them: each a 32-bit unsigned integer. */
export type TokenInput = Uint32Array | readonly number[]

/** A half-open range of tokens or of blocks: `from` is in it, `to` is not. */
export interface TokenRange {
  readonly from: number
  readonly to: number
}

const U32 = 'an integer from 0 to 4294967295'

/** Returns `value` if it is a 32-bit unsigned integer, else throws a `RangeError` that names it. */
export function tokenId(name: string, value: number): number {
  if (typeof value !== 'number' || value >>> 0 !== value) throw invalidArgument(name, U32, value)
  return value
}

/** The same tokens as a typed array: a `Uint32Array` as it is, anything else checked element by element and copied. */
export function tokenArray(tokens: TokenInput): Uint32Array {
  if (tokens instanceof Uint32Array) return tokens
  if (!Array.isArray(tokens) && !(ArrayBuffer.isView(tokens) && 'length' in tokens)) {
    throw invalidArgument('tokens', 'a Uint32Array or an array of numbers', tokens)
  }
  const checked = new Uint32Array(tokens.length)
  for (let index = 0; index < tokens.length; index++) checked[index] = tokenId(`tokens[${index}]`, tokens[index]!)
  return checked
}
