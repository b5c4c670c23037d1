import { WORDS_PER_HASH } from '@kvbm/core'

const EMPTY = -1

/**
 * Finds blocks by four words: open addressing with linear probing, at most half full. It stores ids only; the words stay in the
 * column of the table that it was made for. Invariant: no empty slot lies between a block's home slot and its slot, which
 * removal keeps by moving later blocks back, so there are no tombstones.
 */
export class HashIndex {
  readonly #keys: Uint32Array
  readonly #slots: Int32Array
  readonly #mask: number
  readonly #shift: number
  #size = 0

  /** `keys` holds four words for each block id. */
  constructor(keys: Uint32Array) {
    const bits = Math.max(1, Math.ceil(Math.log2((keys.length / WORDS_PER_HASH) * 2)))
    this.#keys = keys
    this.#slots = new Int32Array(2 ** bits).fill(EMPTY)
    this.#mask = 2 ** bits - 1
    this.#shift = 32 - bits
  }

  get size(): number {
    return this.#size
  }

  /** The id of a block with the four words at `at`, or −1. */
  find(words: Uint32Array, at: number): number {
    const keys = this.#keys
    const w0 = words[at]!
    const w1 = words[at + 1]!
    const w2 = words[at + 2]!
    const w3 = words[at + 3]!
    for (let slot = this.#home(w0, w2); ; slot = (slot + 1) & this.#mask) {
      const id = this.#slots[slot]!
      if (id === EMPTY) return EMPTY
      const key = id * WORDS_PER_HASH
      if (keys[key] === w0 && keys[key + 1] === w1 && keys[key + 2] === w2 && keys[key + 3] === w3) return id
    }
  }

  /** Adds a block. Several with the same words may stand beside each other. */
  insert(id: number): void {
    let slot = this.#homeOf(id)
    while (this.#slots[slot] !== EMPTY) slot = (slot + 1) & this.#mask
    this.#slots[slot] = id
    this.#size++
  }

  /** Removes a block that is in the index and still has its words. */
  remove(id: number): void {
    let slot = this.#homeOf(id)
    while (this.#slots[slot] !== id) slot = (slot + 1) & this.#mask
    this.#closeGap(slot)
    this.#size--
  }

  clear(): void {
    this.#slots.fill(EMPTY)
    this.#size = 0
  }

  /** Moves back every later block of the cluster that may stand at the gap: whose home is not between the gap and it. */
  #closeGap(from: number): void {
    const slots = this.#slots
    const mask = this.#mask
    let gap = from
    for (let slot = (gap + 1) & mask; slots[slot] !== EMPTY; slot = (slot + 1) & mask) {
      const id = slots[slot]!
      if (((slot - this.#homeOf(id)) & mask) < ((slot - gap) & mask)) continue
      slots[gap] = id
      gap = slot
    }
    slots[gap] = EMPTY
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
