import { BlockHashes, type HashAlgorithm, invalidArgument, positiveInteger, WORDS_PER_HASH } from '@kvbm/core'
import { type TokenInput, tokenArray } from './tokens.js'

/**
 * One batch of a chain. `backing` holds the parent in its first four words; the hashes of the blocks of `tokens` follow.
 * `start` is the position of the first of them; at 0 the parent is the root.
 */
export interface ChainStep {
  readonly tokens: Uint32Array
  readonly backing: Uint32Array
  readonly start: number
}

/** What a hasher is made of: an algorithm, a page size, a root, and the function that chains. */
export interface BlockHasherOptions {
  readonly algorithm: HashAlgorithm
  /** Tokens per block. */
  readonly pageSize: number
  /** The four words that stand before the first block of every sequence and name the salt. */
  readonly root: Uint32Array
  /** Fills in the hashes of ⌊tokens ÷ pageSize⌋ blocks. */
  readonly chain: (step: ChainStep) => void
}

/** Names blocks of one page size under one salt. Stateless and synchronous; keep one per salt. */
export class BlockHasher {
  readonly algorithm: HashAlgorithm
  readonly pageSize: number
  /** The four words that stand before the first block of every sequence and name the salt. Not to be changed. */
  readonly root: Uint32Array
  readonly #chain: (step: ChainStep) => void

  constructor({ algorithm, pageSize, root, chain }: BlockHasherOptions) {
    if (root.length !== WORDS_PER_HASH) throw invalidArgument('root.length', '4', root.length)
    this.algorithm = algorithm
    this.pageSize = positiveInteger('pageSize', pageSize)
    this.root = root
    this.#chain = chain
  }

  /** Names of the full blocks of a sequence, from its first token on; a partly filled last block has none. */
  hashTokens(tokens: TokenInput): BlockHashes {
    return this.#continue(this.root, tokenArray(tokens), 0)
  }

  /**
   * Names of the full blocks that follow `parent` in its sequence; `tokens` begin right after its last block. Without a
   * block in `parent` they follow its own parent. Throws `RangeError` for another algorithm or page size.
   */
  extendHashes(parent: BlockHashes, tokens: TokenInput): BlockHashes {
    if (!parent.isCompatibleWith(this)) {
      throw new RangeError(
        `parent: expected ${describe(this)}, got ${describe(parent)}. Hash the sequence from its start.`,
      )
    }
    const last = parent.backing.subarray(parent.count * WORDS_PER_HASH)
    return this.#continue(last, tokenArray(tokens), parent.start + parent.count)
  }

  /** Fills `step.backing` with the hashes of the full blocks of `step.tokens`. For storage that the caller owns. */
  fill(step: ChainStep): void {
    this.#chain(step)
  }

  #continue(parent: Uint32Array, tokens: Uint32Array, start: number): BlockHashes {
    const { algorithm, pageSize } = this
    const backing = new Uint32Array((Math.floor(tokens.length / pageSize) + 1) * WORDS_PER_HASH)
    backing.set(parent)
    this.#chain({ tokens, backing, start })
    return new BlockHashes({ algorithm, pageSize, backing, start })
  }
}

function describe({ algorithm, pageSize }: { readonly algorithm: HashAlgorithm; readonly pageSize: number }): string {
  return `${algorithm} hashes of blocks of ${pageSize} tokens`
}
