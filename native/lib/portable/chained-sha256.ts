import { createHash } from 'node:crypto'
import { invalidArgument, positiveInteger } from '@kvbm/core'

const HASH_BYTES = 16
const WORDS_PER_HASH = 4

export function sha256Words(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(Uint8Array.from(shortDigest(bytes)).buffer)
}

/** Fills `backing` (parent, then one hash per block) with the chain of the tokens' full blocks. */
export function hashChain(tokens: Uint32Array, pageSize: number, backing: Uint32Array): void {
  const blocks = Math.floor(tokens.length / positiveInteger('pageSize', pageSize))
  const needed = WORDS_PER_HASH * (blocks + 1)
  if (backing.length < needed) throw invalidArgument('backing.length', `at least ${needed} words`, backing.length)
  const hashes = new Uint8Array(backing.buffer, backing.byteOffset, backing.byteLength)
  for (let block = 0; block < blocks; block++) {
    const parent = hashes.subarray(block * HASH_BYTES, (block + 1) * HASH_BYTES)
    const page = tokens.subarray(block * pageSize, (block + 1) * pageSize)
    hashes.set(shortDigest(parent, page), (block + 1) * HASH_BYTES)
  }
}

/** First 16 bytes of SHA-256 of the given pieces, one after another. */
function shortDigest(...pieces: readonly (Uint8Array | Uint32Array)[]): Uint8Array {
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(piece)
  return hash.digest().subarray(0, HASH_BYTES)
}
