import { assert, BlockHashes, nonNegativeInteger, WORDS_PER_HASH } from '@kvbm/core'
import type { BlockHasher } from './block-hasher.js'
import { GrowableWords } from './growable-words.js'
import { PartialTokenBlock } from './partial-token-block.js'
import { type Sha256Options, sha256Hasher } from './sha256-hasher.js'
import { TokenBlock } from './token-block.js'
import { type TokenInput, type TokenRange, tokenArray, tokenId } from './tokens.js'

/** Page size and salt, or a hasher of your own (for example of `loadXxh3`). */
export type TokenBlockSequenceOptions = Sha256Options | { readonly hasher: BlockHasher }

/** A sequence taken apart: its full blocks, and the one being filled. */
export interface TokenBlockParts {
  readonly blocks: readonly TokenBlock[]
  readonly partial: PartialTokenBlock
}

/**
 * Tokens of one sequence, cut into blocks that are named as soon as their last token arrives. Invariants: tokens lie in
 * one run, the blocks' hashes in another behind the root, and there are exactly ⌊tokens ÷ pageSize⌋ of them.
 */
export class TokenBlockSequence {
  readonly #hasher: BlockHasher
  readonly #tokens: GrowableWords
  readonly #backing: GrowableWords
  #snapshot: BlockHashes | undefined

  constructor(tokens: TokenInput, options: TokenBlockSequenceOptions) {
    this.#hasher = 'hasher' in options ? options.hasher : sha256Hasher(options)
    this.#tokens = new GrowableWords()
    this.#backing = new GrowableWords(this.#hasher.root)
    this.extend(tokens)
  }

  /** Cuts tokens into full blocks and what is left. */
  static split(tokens: TokenInput, options: TokenBlockSequenceOptions): TokenBlockParts {
    return new TokenBlockSequence(tokens, options).intoParts()
  }

  get pageSize(): number {
    return this.#hasher.pageSize
  }

  /** Number of tokens. */
  get length(): number {
    return this.#tokens.length
  }

  /** Number of full blocks. */
  get blockCount(): number {
    return this.#backing.length / WORDS_PER_HASH - 1
  }

  /** Names of the full blocks. A snapshot: later changes of the sequence do not reach it. */
  get hashes(): BlockHashes {
    this.#snapshot ??= this.#hashes(0, this.blockCount)
    return this.#snapshot
  }

  /** All tokens. A copy. */
  get tokens(): Uint32Array {
    return this.#tokens.view().slice()
  }

  /** The full blocks, as values. For single ones use `block`, for names alone `hashes`. */
  get blocks(): readonly TokenBlock[] {
    return Array.from({ length: this.blockCount }, (_, index) => this.#block(index))
  }

  /** Full block `index`, or undefined where there is none. */
  block(index: number): TokenBlock | undefined {
    return Number.isInteger(index) && index >= 0 && index < this.blockCount ? this.#block(index) : undefined
  }

  /** The full block that was completed last. */
  get lastCompleteBlock(): TokenBlock | undefined {
    return this.block(this.blockCount - 1)
  }

  /** The block that is being filled; never full. A copy: what is done to it does not reach the sequence. */
  get currentBlock(): PartialTokenBlock {
    const [position, end] = [this.blockCount, this.#backing.length]
    const parent = this.#backing.view(end - WORDS_PER_HASH, end)
    const partial = new PartialTokenBlock({ hasher: this.#hasher, parent, position })
    partial.pushTokens(this.#tokens.view(position * this.pageSize))
    return partial
  }

  /** Adds one token. Returns the index of the block that it completed, if it did. */
  append(token: number): number | undefined {
    const before = this.length
    this.#tokens.push(tokenId('token', token))
    return this.#commit(before)?.from
  }

  /** Adds tokens. Returns the range of blocks that they completed, if any. */
  extend(tokens: TokenInput): TokenRange | undefined {
    const before = this.length
    this.#tokens.append(tokenArray(tokens))
    return this.#commit(before)
  }

  /** Keeps the first `length` tokens; a block that is cut becomes the partial one again. Nothing when there are no more. */
  truncate(length: number): void {
    nonNegativeInteger('length', length)
    if (length >= this.length) return
    this.#tokens.resize(length)
    const blocks = Math.floor(length / this.pageSize)
    if (blocks < this.blockCount) this.#snapshot = undefined
    this.#backing.resize((blocks + 1) * WORDS_PER_HASH)
  }

  /** Takes the last `count` tokens back. `RangeError`, and no change, when there are fewer. */
  unwind(count: number): void {
    nonNegativeInteger('count', count)
    if (count > this.length) throw new RangeError(`Cannot unwind ${count} tokens: the sequence holds ${this.length}.`)
    this.truncate(this.length - count)
  }

  /** Takes the last token back and returns it; undefined when there is none. */
  pop(): number | undefined {
    if (this.length === 0) return undefined
    const token = this.#tokens.at(this.length - 1)
    this.unwind(1)
    return token
  }

  /** Takes all tokens back. */
  reset(): void {
    this.truncate(0)
  }

  /** Copy of the tokens in a range; empty when the range is not inside the sequence. */
  tokensAt({ from, to }: TokenRange): Uint32Array {
    const valid = Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from <= to && to <= this.length
    return valid ? this.#tokens.view(from, to).slice() : new Uint32Array(0)
  }

  /** Hands out the full blocks and the partial one, and leaves the sequence empty. */
  intoParts(): TokenBlockParts {
    const parts = { blocks: this.blocks, partial: this.currentBlock }
    this.reset()
    return parts
  }

  /** Names every block that has become full, in one call. A hasher that throws leaves the `before` tokens that were there. */
  #commit(before: number): TokenRange | undefined {
    const from = this.blockCount
    const to = Math.floor(this.length / this.pageSize)
    if (from === to) return undefined
    try {
      this.#name(from, to)
    } catch (error) {
      this.#tokens.resize(before)
      this.#backing.resize((from + 1) * WORDS_PER_HASH)
      throw error
    }
    this.#snapshot = undefined
    return { from, to }
  }

  #name(from: number, to: number): void {
    const tokens = this.#tokens.view(from * this.pageSize, to * this.pageSize)
    this.#backing.resize((to + 1) * WORDS_PER_HASH)
    this.#hasher.fill({ tokens, backing: this.#backing.view(from * WORDS_PER_HASH), start: from })
  }

  #hashes(from: number, to: number): BlockHashes {
    const { algorithm, pageSize } = this.#hasher
    const backing = this.#backing.view(from * WORDS_PER_HASH, (to + 1) * WORDS_PER_HASH).slice()
    return new BlockHashes({ algorithm, pageSize, backing, start: from })
  }

  #block(index: number): TokenBlock {
    assert(index < this.blockCount, `block ${index} of ${this.blockCount}`)
    const tokens = this.#tokens.view(index * this.pageSize, (index + 1) * this.pageSize).slice()
    return new TokenBlock({ hasher: this.#hasher, tokens, hashes: this.#hashes(index, index + 1) })
  }
}
