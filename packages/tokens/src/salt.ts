import { invalidArgument } from '@kvbm/core'

/** What keeps equal tokens of different models or tenants apart: bytes, or text that stands for its UTF-8 bytes. */
export type Salt = Uint8Array | string

const encoder = new TextEncoder()

// The encoder writes U+FFFD for every half of a surrogate pair: texts cut in the middle of a character would share their salt.
const HALF_PAIR = /\p{Surrogate}/u

/** The bytes of a salt; none for `undefined`. `RangeError` for text that is cut in the middle of a character. */
export function saltBytes(salt: Salt | undefined): Uint8Array {
  if (salt === undefined) return new Uint8Array(0)
  if (typeof salt === 'string') return encoder.encode(wellFormed(salt))
  if (salt instanceof Uint8Array) return salt
  throw new TypeError(`salt: expected a string or a Uint8Array, got ${typeof salt}`)
}

function wellFormed(text: string): string {
  if (HALF_PAIR.test(text)) throw invalidArgument('salt', 'whole characters, or bytes', text)
  return text
}
