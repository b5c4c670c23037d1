import { invalidArgument, positiveInteger } from '@kvbm/core'
import { type Binding, loadBinding } from '@kvbm/native'
import { BlockHasher } from './block-hasher.js'
import { type Salt, saltBytes } from './salt.js'

/** Page size and salt of SHA-256 names. */
export interface Sha256Options {
  /** Tokens per block, 1 to 2³² − 1. */
  readonly pageSize: number
  /** Default: no salt, the same as an empty one. */
  readonly salt?: Salt | undefined
  /** Computes the hashes; default is what `loadBinding()` of `@kvbm/native` finds. */
  readonly binding?: Binding | undefined
}

/** The root has 32 bits for it. */
const PAGE_SIZE_MAX = 2 ** 32 - 1
const DOMAIN = new TextEncoder().encode('kvbm1')

/** The preimage of a root: "kvbm1" ‖ u32le salt length ‖ salt ‖ u32le page size. */
function rootPreimage(salt: Uint8Array, pageSize: number): Uint8Array {
  const bytes = new Uint8Array(DOMAIN.length + 4 + salt.length + 4)
  const view = new DataView(bytes.buffer)
  bytes.set(DOMAIN)
  view.setUint32(DOMAIN.length, salt.length, true)
  bytes.set(salt, DOMAIN.length + 4)
  view.setUint32(bytes.length - 4, pageSize, true)
  return bytes
}

/** The default hasher: SHA-256 cut to 128 bits, see docs/hashing.md. One native call names all blocks of a prompt. */
export function sha256Hasher({ pageSize, salt, binding = loadBinding() }: Sha256Options): BlockHasher {
  if (positiveInteger('pageSize', pageSize) > PAGE_SIZE_MAX) {
    throw invalidArgument('pageSize', `an integer of 1 to ${PAGE_SIZE_MAX}`, pageSize)
  }
  return new BlockHasher({
    algorithm: 'sha256',
    pageSize,
    root: binding.sha256(rootPreimage(saltBytes(salt), pageSize)),
    chain: ({ tokens, backing }) => binding.hashBlocks(tokens, pageSize, backing),
  })
}
