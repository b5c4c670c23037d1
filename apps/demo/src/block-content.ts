import { type PackedHashes, WORDS_PER_HASH } from '@kvbm/core'

const PAGE_BYTES = 4096
const PAGE_WORDS = PAGE_BYTES / 4

/**
 * The bytes a block must have: one page of noise seeded with the block's hash, repeated, with the page's number in each page's
 * first word. They stand for a model's output: any other process can compute them again from the hash, and a wrong block, a
 * wrong page or a wrong bit shows. `into` is a multiple of 4,096 bytes long.
 */
export function fillBlock(into: Uint8Array, hashes: PackedHashes, index: number): void {
  const words = new Uint32Array(into.buffer, into.byteOffset, into.byteLength / 4)
  fillNoise(words, hashes.words, index * WORDS_PER_HASH)
  for (let filled = PAGE_WORDS; filled < words.length; filled *= 2)
    words.copyWithin(filled, 0, Math.min(filled, words.length - filled))
  for (let page = 0; page * PAGE_WORDS < words.length; page++) words[page * PAGE_WORDS] = page
}

/** xorshift128 seeded with the four words of the hash. */
function fillNoise(words: Uint32Array, hash: Uint32Array, at: number): void {
  let x = hash[at]! | 1
  let y = hash[at + 1]!
  let z = hash[at + 2]!
  let w = hash[at + 3]!
  for (let word = 0; word < PAGE_WORDS; word++) {
    const t = x ^ (x << 11)
    x = y
    y = z
    z = w
    w = w ^ (w >>> 19) ^ t ^ (t >>> 8)
    words[word] = w
  }
}

/** Compares blocks with what they must be; reuses one buffer. */
export class BlockChecker {
  readonly #expected: Buffer
  readonly #blockBytes: number

  constructor(blockBytes: number) {
    this.#blockBytes = blockBytes
    this.#expected = Buffer.alloc(blockBytes)
  }

  /** True when `actual` (one array, or its parts in order) is exactly what the block named by hash `index` must hold. */
  isRight(actual: Uint8Array | readonly Uint8Array[], hashes: PackedHashes, index: number): boolean {
    fillBlock(this.#expected, hashes, index)
    let offset = 0
    for (const part of actual instanceof Uint8Array ? [actual] : actual) {
      if (this.#expected.compare(part, 0, part.byteLength, offset, offset + part.byteLength) !== 0) return false
      offset += part.byteLength
    }
    return offset === this.#blockBytes
  }
}

/** Token ids that stand for the block with this trace id: the id itself, then the positions inside the block. */
export function tokensOf(hashIds: readonly number[], pageSize: number): Uint32Array {
  const tokens = new Uint32Array(hashIds.length * pageSize)
  for (const [block, id] of hashIds.entries()) {
    tokens[block * pageSize] = id >>> 0
    tokens[block * pageSize + 1] = Math.floor(id / 2 ** 32)
    for (let position = 2; position < pageSize; position++) tokens[block * pageSize + position] = position
  }
  return tokens
}
