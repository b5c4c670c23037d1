import { type BlockHashes, WORDS_PER_HASH } from '@kvbm/core'
import type { SlotFile } from '@kvbm/storage'
import { hashKey } from './hash-key.js'

/**
 * What the records of a disk tier say is in their slots. That is more than the pool knows: the record of a block that was evicted,
 * or that came second, stays until its slot is written again, and a later process would find it.
 */
export class RecordNames {
  readonly #words: Uint32Array
  /** 1 where a record may say what `#words` has for its slot. */
  readonly #isNamed: Uint8Array

  constructor({ numSlots, recovered }: SlotFile) {
    this.#words = new Uint32Array(numSlots * WORDS_PER_HASH)
    this.#isNamed = new Uint8Array(numSlots)
    this.set(recovered.slots, recovered.hashes)
  }

  set(slots: Uint32Array, words: Uint32Array): void {
    for (const [row, slot] of slots.entries()) {
      const name = words.subarray(row * WORDS_PER_HASH, (row + 1) * WORDS_PER_HASH)
      this.#words.set(name, slot * WORDS_PER_HASH)
      this.#isNamed[slot] = 1
    }
  }

  clear(slots: Uint32Array): void {
    for (const slot of slots) this.#isNamed[slot] = 0
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
