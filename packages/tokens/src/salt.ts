/** What keeps equal tokens of different models or tenants apart: bytes, or text that stands for its UTF-8 bytes. */
export type Salt = Uint8Array | string

const encoder = new TextEncoder()

/** The bytes of a salt; none for `undefined`. */
export function saltBytes(salt: Salt | undefined): Uint8Array {
  if (salt === undefined) return new Uint8Array(0)
  if (typeof salt === 'string') return encoder.encode(salt)
  if (salt instanceof Uint8Array) return salt
  throw new TypeError(`salt: expected a string or a Uint8Array, got ${typeof salt}`)
}
