import { BlockHashes, invalidArgument, nonNegativeInteger, WORDS_PER_HASH } from '@kvbm/core'
import type { BlockHasher } from './block-hasher.js'
import { TokenBlock } from './token-block.js'
import { type TokenInput, tokenArray, tokenId } from './tokens.js'

/** Where in a sequence the block stands, and what names it. */
export interface PartialTokenBlockOptions {
  readonly hasher: BlockHasher
  /** Hash of the block before, four words. Default: the root of the hasher. */
  readonly parent?: Uint32Array
  /** In blocks. Default 0. */
  readonly position?: number
}

/** A block that is being filled: 0 to `pageSize` tokens. `commit` turns a full one into a `TokenBlock` and begins the next. */
export class PartialTokenBlock {
  readonly #hasher: BlockHasher
  readonly #tokens: Uint32Array
  #length = 0
  #parent: Uint32Array
  #position: number

  constructor({ hasher, parent = hasher.root, position = 0 }: PartialTokenBlockOptions) {
    if (parent.length !== WORDS_PER_HASH) throw invalidArgument('parent.length', '4', parent.length)
    this.#hasher = hasher
    this.#tokens = new Uint32Array(hasher.pageSize)
    this.#parent = parent.slice()
    this.#position = nonNegativeInteger('position', position)
  }

  /** An empty block that follows a full one. */
  static after(block: TokenBlock): PartialTokenBlock {
    const parent = block.hashes.backing.subarray(WORDS_PER_HASH)
    return new PartialTokenBlock({ hasher: block.hasher, parent, position: block.position + 1 })
  }

  get pageSize(): number {
    return this.#hasher.pageSize
  }

  /** Tokens held. */
  get length(): number {
    return this.#length
  }

  /** Tokens that still fit. */
  get remaining(): number {
    return this.pageSize - this.#length
  }

  /** Position in its sequence, in blocks. */
  get position(): number {
    return this.#position
  }

  /** Hash of the block before (four words), the root at position 0. A copy. */
  get parent(): Uint32Array {
    return this.#parent.slice()
  }

  /** The tokens held. A copy. */
  get tokens(): Uint32Array {
    return this.#tokens.slice(0, this.#length)
  }

  /** Adds one token. `RangeError` when full. */
  pushToken(token: number): void {
    tokenId('token', token)
    if (this.remaining === 0)
      throw new RangeError(`The block is full: it holds ${this.pageSize} tokens. Commit it first.`)
    this.#tokens[this.#length++] = token
  }

  /** Adds what fits and returns the rest. */
  pushTokens(tokens: TokenInput): Uint32Array {
    const given = tokenArray(tokens)
    const fitting = given.subarray(0, this.remaining)
    this.#tokens.set(fitting, this.#length)
    this.#length += fitting.length
    return given.subarray(fitting.length)
  }

  /** Takes the last token back and returns it. `RangeError` when empty. */
  popToken(): number {
    if (this.#length === 0) throw new RangeError('The block is empty: there is no token to take back.')
    return this.#tokens[--this.#length]!
  }

  /** Takes the last `count` tokens back. `RangeError`, and no change, when there are fewer. */
  popTokens(count: number): void {
    nonNegativeInteger('count', count)
    if (count > this.#length) throw new RangeError(`Cannot take back ${count} tokens: the block holds ${this.#length}.`)
    this.#length -= count
  }

  /** Names the full block and becomes the empty next one. `RangeError`, and no change, when tokens are missing. */
  commit(): TokenBlock {
    if (this.remaining > 0) {
      throw new RangeError(
        `The block is incomplete: ${this.#length} of ${this.pageSize} tokens. Push ${this.remaining} more.`,
      )
    }
    const block = this.#name(this.#tokens.slice())
    this.#parent = block.hashes.backing.slice(WORDS_PER_HASH)
    this.#position++
    this.#length = 0
    return block
  }

  #name(tokens: Uint32Array): TokenBlock {
    const { algorithm, pageSize } = this.#hasher
    const backing = new Uint32Array(2 * WORDS_PER_HASH)
    backing.set(this.#parent)
    this.#hasher.fill({ tokens, backing, start: this.#position })
    const hashes = new BlockHashes({ algorithm, pageSize, backing, start: this.#position })
    return new TokenBlock({ hasher: this.#hasher, tokens, hashes })
  }
}
