/*
 * The whole-sequence hand-over of the in-memory engine: u32le magic, u32le count of tokens, the tokens, then region after region one
 * row per token. Like a real engine's state: no identity inside, no checksum.
 */
const MAGIC = 0x4d454d31
const HEAD_BYTES = 8

export interface StateShape {
  readonly regions: number
  readonly rowBytes: number
}

/** Where the rows begin. */
export function rowsOffset(tokens: number): number {
  return HEAD_BYTES + tokens * 4
}

export function stateBytes(tokens: number, { regions, rowBytes }: StateShape): number {
  return rowsOffset(tokens) + tokens * regions * rowBytes
}

export function encodeHead(tokens: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(rowsOffset(tokens.length))
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC, true)
  view.setUint32(4, tokens.length, true)
  for (const [index, token] of tokens.entries()) view.setUint32(HEAD_BYTES + index * 4, token, true)
  return bytes
}

/** The tokens of a state, or undefined when it is not a whole one. */
export function decodeHead(bytes: Uint8Array, shape: StateShape): Uint32Array | undefined {
  if (bytes.length < HEAD_BYTES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const count = view.getUint32(4, true)
  if (view.getUint32(0, true) !== MAGIC || bytes.length !== stateBytes(count, shape)) return undefined
  return Uint32Array.from({ length: count }, (_, index) => view.getUint32(HEAD_BYTES + index * 4, true))
}
