import { invalidArgument, nonNegativeInteger, positiveInteger } from './assert.js'

/** How blocks are named: `sha256` isolates by salt; `xxh3` is the original's 64-bit chain, which does not. */
export type HashAlgorithm = 'sha256' | 'xxh3'

/** 32-bit words of one 128-bit hash in the packed form. */
export const WORDS_PER_HASH = 4

/** Some 128-bit hashes, four 32-bit words each, in memory order (so their bytes are the hash's bytes). */
export class PackedHashes {
  readonly words: Uint32Array
  readonly count: number

  constructor(words: Uint32Array) {
    if (words.length % WORDS_PER_HASH !== 0) throw invalidArgument('words.length', 'a multiple of 4', words.length)
    this.words = words
    this.count = words.length / WORDS_PER_HASH
  }

  /** Lower-case hex of hash `index`, 32 digits. */
  hex(index: number): string {
    return hexOf(this.words, this.#firstWord(index))
  }

  toHexArray(): string[] {
    return Array.from({ length: this.count }, (_, index) => this.hex(index))
  }

  /** Lane 0 or 1 of hash `index` as a 64-bit number (xxh3: 0 is the sequence hash, 1 the block hash). */
  lane(index: number, lane: 0 | 1): bigint {
    const word = this.#firstWord(index) + lane * 2
    return (BigInt(this.words[word + 1]!) << 32n) | BigInt(this.words[word]!)
  }

  #firstWord(index: number): number {
    if (Number.isInteger(index) && index >= 0 && index < this.count) return index * WORDS_PER_HASH
    throw invalidArgument('index', `an integer from 0 to ${this.count - 1}`, index)
  }
}

/** What names of consecutive blocks are made of: one packed array and what it means. */
export interface BlockHashesOptions {
  readonly algorithm: HashAlgorithm
  readonly pageSize: number
  /** Parent of the first hash (4 words), then the hashes. For the first block of a sequence the parent is the root. */
  readonly backing: Uint32Array
  /** Position of the first hash in its sequence, in blocks. Default 0. */
  readonly start?: number
}

/**
 * Names of consecutive blocks of one sequence. Invariant: the four words before the first hash are its parent, so every
 * hash finds its parent at the same distance, in a sub-range too. At position 0 the parent is the root, which names the salt.
 */
export class BlockHashes extends PackedHashes {
  readonly algorithm: HashAlgorithm
  readonly pageSize: number
  readonly start: number
  /** Words of the parent of the first hash. */
  readonly parent: Uint32Array
  readonly #backing: Uint32Array

  constructor({ algorithm, pageSize, backing, start = 0 }: BlockHashesOptions) {
    if (backing.length < WORDS_PER_HASH)
      throw invalidArgument('backing.length', 'at least 4 (the parent)', backing.length)
    super(backing.subarray(WORDS_PER_HASH))
    this.algorithm = algorithm
    this.pageSize = positiveInteger('pageSize', pageSize)
    this.start = nonNegativeInteger('start', start)
    this.parent = backing.subarray(0, WORDS_PER_HASH)
    this.#backing = backing
  }

  /**
   * Names of the same blocks from `begin` to before `end`, whole numbers that are clipped to what there is; shares memory,
   * keeps start and parent right.
   */
  subarray(begin: number, end: number = this.count): BlockHashes {
    const from = clipped('begin', begin, { min: 0, max: this.count })
    const to = clipped('end', end, { min: from, max: this.count })
    const backing = this.#backing.subarray(from * WORDS_PER_HASH, (to + 1) * WORDS_PER_HASH)
    return new BlockHashes({ algorithm: this.algorithm, pageSize: this.pageSize, backing, start: this.start + from })
  }

  /** Words of parents and hashes in one run: parent of the first, then every hash. */
  get backing(): Uint32Array {
    return this.#backing
  }

  /** Same algorithm and page size: may stand in the same pool. */
  isCompatibleWith(other: { readonly algorithm: HashAlgorithm; readonly pageSize: number }): boolean {
    return this.algorithm === other.algorithm && this.pageSize === other.pageSize
  }
}

// Half a block would be a name made of the halves of two.
function clipped(name: string, value: number, { min, max }: { readonly min: number; readonly max: number }): number {
  if (!Number.isInteger(value)) throw invalidArgument(name, 'an integer', value)
  return Math.min(Math.max(value, min), max)
}

function hexOf(words: Uint32Array, at: number): string {
  let text = ''
  for (let word = at; word < at + WORDS_PER_HASH; word++) {
    for (let shift = 0; shift < 32; shift += 8) text += ((words[word]! >>> shift) & 0xff).toString(16).padStart(2, '0')
  }
  return text
}
