import { type BlockHashes, WORDS_PER_HASH } from '@kvbm/core'
import type { SlotFile } from '@kvbm/storage'
import { hashKey } from './hash-key.js'

/**
 * What the records of a disk tier say is in their slots. That is more than the pool knows: the record of a block that was evicted,
 * or that came second, stays until its slot is written again, and a later process would find it.
 */
export class RecordNames {
  #words: Uint32Array
  /**
   * Until a slot is first written, records and pool agree on every name, and the pool has the words: millions of them need not be copied
   * to open a tier.
   */
  #isShared = true
  /** 1 where a record may say what `#words` has for its slot. */
  readonly #isNamed: Uint8Array

  constructor({ recovered }: SlotFile) {
    this.#words = recovered.hashes
    this.#isNamed = recovered.live.slice()
  }

  set(slots: Uint32Array, words: Uint32Array): void {
    this.#part()
    for (let row = 0; row < slots.length; row++) {
      const name = words.subarray(row * WORDS_PER_HASH, (row + 1) * WORDS_PER_HASH)
      this.#words.set(name, slots[row]! * WORDS_PER_HASH)
      this.#isNamed[slots[row]!] = 1
    }
  }

  /** To be called before the pool gives one of these slots another name. */
  clear(slots: Uint32Array): void {
    this.#part()
    for (const slot of slots) this.#isNamed[slot] = 0
  }

  #part(): void {
    if (this.#isShared) this.#words = this.#words.slice()
    this.#isShared = false
  }

  /** Slots whose record may have the name of an `index` that `isMeant`. Walks all of them. */
  slotsOf(hashes: BlockHashes, isMeant: (index: number) => boolean): Uint32Array {
    const indices = Array.from({ length: hashes.count }, (_, index) => index).filter(isMeant)
    const keys = new Set(indices.map((index) => hashKey(hashes.words, index)))
    // Most slots are told apart by a number, without making a string.
    const firsts = new Set(indices.map((index) => hashes.words[index * WORDS_PER_HASH]!))
    const has = (slot: number): boolean =>
      firsts.has(this.#words[slot * WORDS_PER_HASH]!) && keys.has(hashKey(this.#words, slot))
    const found: number[] = []
    this.#isNamed.forEach((isNamed, slot) => {
      if (isNamed === 1 && has(slot)) found.push(slot)
    })
    return Uint32Array.from(found)
  }
}
