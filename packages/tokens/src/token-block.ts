import type { BlockHashes } from '@kvbm/core'
import type { BlockHasher } from './block-hasher.js'

/** A full block's tokens and name. */
export interface TokenBlockOptions {
  readonly hasher: BlockHasher
  /** Exactly `pageSize` tokens; the block owns them. */
  readonly tokens: Uint32Array
  /** Names of this one block. */
  readonly hashes: BlockHashes
}

/** A full block: its tokens and its name. A value; it never changes. */
export class TokenBlock {
  readonly tokens: Uint32Array
  /** The name of this block as hashes of count 1, with parent, algorithm and page size. */
  readonly hashes: BlockHashes
  /** What named it, and names what follows. */
  readonly hasher: BlockHasher

  constructor({ hasher, tokens, hashes }: TokenBlockOptions) {
    this.tokens = tokens
    this.hashes = hashes
    this.hasher = hasher
  }

  /** Position in its sequence, in blocks. */
  get position(): number {
    return this.hashes.start
  }

  /** Lower-case hex, 32 digits. */
  get hash(): string {
    return this.hashes.hex(0)
  }
}
