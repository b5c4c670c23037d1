import { createHash } from 'node:crypto'

const HASH_BYTES = 16

/** First 16 bytes of SHA-256 of the given pieces, one after another. */
function shortDigest(...pieces: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(piece)
  return hash.digest().subarray(0, HASH_BYTES)
}

export function sha256Words(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(Uint8Array.from(shortDigest(bytes)).buffer)
}

/** Fills `backing` (parent, then one hash per block) with the chain of the tokens' full blocks. */
export function hashChain(tokens: Uint32Array, pageSize: number, backing: Uint32Array): void {
  const hashes = new Uint8Array(backing.buffer, backing.byteOffset, backing.byteLength)
  const bytes = new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength)
  const blockBytes = pageSize * 4
  const blocks = Math.floor(tokens.length / pageSize)
  for (let block = 0; block < blocks; block++) {
    const parent = hashes.subarray(block * HASH_BYTES, (block + 1) * HASH_BYTES)
    hashes.set(shortDigest(parent, bytes.subarray(block * blockBytes, (block + 1) * blockBytes)), (block + 1) * HASH_BYTES)
  }
}
