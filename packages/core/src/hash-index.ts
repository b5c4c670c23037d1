import { WORDS_PER_HASH } from './block-hashes.js'

/** What `find` gives for words that no block has. */
const NOWHERE = -1

/** An entry: five bits of the hash, never all zero, above the block's id; 0 is none. */
const ID_BITS = 27
const ID_MASK = 2 ** ID_BITS - 1
const TAG_MASK = 31

/** Entries that an index of so many blocks has: a power of two, at least twice as many. */
export function hashIndexEntries(numBlocks: number): number {
  return 2 ** (32 - Math.clz32(2 * Math.max(1, numBlocks) - 1))
}

/**
 * Finds blocks by four words: open addressing with linear probing, at most half full, ids below 2²⁷. It stores ids and a few bits
 * of each hash; the words stay in the column that it was made for. Invariant: no empty entry lies between a block's home
 * and its entry, which removal keeps by moving later blocks back, so there are no tombstones.
 *
 * The entries are a format: the native core fills the same ones while it reads a slot table. The home of a hash is the upper bits of
 * `(w0 ^ w2 × 0x85ebca6b) × 0x9e3779b1` modulo 2³², as many as count the entries; the tag is the lower five bits of w1, or 1 for 0.
 */
export class HashIndex {
  readonly #keys: Uint32Array
  readonly #entries: Uint32Array
  readonly #mask: number
  readonly #shift: number
  #size: number

  /** `keys` holds four words for each block id. `filled` has entries, in this format, of `size` of them, and is taken over. */
  constructor(keys: Uint32Array, filled?: { readonly entries: Uint32Array; readonly size: number }) {
    this.#keys = keys
    this.#entries = filled?.entries ?? new Uint32Array(hashIndexEntries(keys.length / WORDS_PER_HASH))
    this.#size = filled?.size ?? 0
    this.#mask = this.#entries.length - 1
    this.#shift = Math.clz32(this.#mask)
  }

  get size(): number {
    return this.#size
  }

  /** The id of a block with the four words at `at`, or −1. */
  find(words: Uint32Array, at: number): number {
    const keys = this.#keys
    const entries = this.#entries
    const w0 = words[at]!
    const w1 = words[at + 1]!
    const w2 = words[at + 2]!
    const w3 = words[at + 3]!
    const tag = tagOf(w1)
    for (let place = this.#home(w0, w2); ; place = (place + 1) & this.#mask) {
      const entry = entries[place]!
      if (entry === 0) return NOWHERE
      if (entry >>> ID_BITS !== tag) continue
      const id = entry & ID_MASK
      const key = id * WORDS_PER_HASH
      if (keys[key] === w0 && keys[key + 1] === w1 && keys[key + 2] === w2 && keys[key + 3] === w3) return id
    }
  }

  /** Of several blocks with the four words at `at` the id of the one whose number in `ranks` is highest, or −1. */
  findHighest(words: Uint32Array, at: number, ranks: Float64Array): number {
    let highest = NOWHERE
    for (
      let place = this.#home(words[at]!, words[at + 2]!);
      this.#entries[place] !== 0;
      place = (place + 1) & this.#mask
    ) {
      const id = this.#idAt(place)
      if (this.#hasWords(id, words, at) && (highest === NOWHERE || ranks[id]! > ranks[highest]!)) highest = id
    }
    return highest
  }

  /** Adds a block. Several with the same words may stand beside each other. */
  insert(id: number): void {
    const key = id * WORDS_PER_HASH
    let place = this.#homeOf(id)
    while (this.#entries[place] !== 0) place = (place + 1) & this.#mask
    this.#entries[place] = (tagOf(this.#keys[key + 1]!) << ID_BITS) | id
    this.#size++
  }

  /** Removes a block that is in the index and still has its words. */
  remove(id: number): void {
    let place = this.#homeOf(id)
    while (this.#idAt(place) !== id) place = (place + 1) & this.#mask
    this.#closeGap(place)
    this.#size--
  }

  /** Moves back every later block of the cluster that may stand at the gap: whose home is not between the gap and it. */
  #closeGap(from: number): void {
    const entries = this.#entries
    const mask = this.#mask
    let gap = from
    for (let place = (gap + 1) & mask; entries[place] !== 0; place = (place + 1) & mask) {
      if (((place - this.#homeOf(this.#idAt(place))) & mask) < ((place - gap) & mask)) continue
      entries[gap] = entries[place]!
      gap = place
    }
    entries[gap] = 0
  }

  #hasWords(id: number, words: Uint32Array, at: number): boolean {
    const keys = this.#keys
    const key = id * WORDS_PER_HASH
    return (
      keys[key] === words[at] &&
      keys[key + 1] === words[at + 1] &&
      keys[key + 2] === words[at + 2] &&
      keys[key + 3] === words[at + 3]
    )
  }

  #idAt(place: number): number {
    return this.#entries[place]! & ID_MASK
  }

  #homeOf(id: number): number {
    const key = id * WORDS_PER_HASH
    return this.#home(this.#keys[key]!, this.#keys[key + 2]!)
  }

  /** Words of a cryptographic hash would do as they are; others are mixed, so that counters spread too. */
  #home(w0: number, w2: number): number {
    return Math.imul(w0 ^ Math.imul(w2, 0x85ebca6b), 0x9e3779b1) >>> this.#shift
  }
}

function tagOf(w1: number): number {
  return Math.max(1, w1 & TAG_MASK)
}
