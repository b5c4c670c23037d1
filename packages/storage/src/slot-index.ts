import { HashIndex, WORDS_PER_HASH } from '@kvbm/core'
import type { SlotRecords } from '@kvbm/native'

const NO_ROW = -1

/**
 * Which slot has the block of a hash, as the records said when they were last read: columns by slot, and an index over those that can
 * be found. One hash may stand in several slots; the newest generation counts.
 */
export class SlotIndex {
  readonly numSlots: number
  readonly #slotBytes: number
  readonly #hashes: Uint32Array
  readonly #index: HashIndex
  /** 0 where the slot was free. Stays when a slot is forgotten, so that the same record is not found again. */
  readonly #generations: Float64Array
  readonly #checksums: Uint32Array
  readonly #isLinked: Uint8Array

  /** At most `BLOCKS_MAX` slots. */
  constructor({ numSlots, slotBytes }: { readonly numSlots: number; readonly slotBytes: number }) {
    this.numSlots = numSlots
    this.#slotBytes = slotBytes
    this.#hashes = new Uint32Array(numSlots * WORDS_PER_HASH)
    this.#index = new HashIndex(this.#hashes)
    this.#generations = new Float64Array(numSlots)
    this.#checksums = new Uint32Array(numSlots)
    this.#isLinked = new Uint8Array(numSlots)
  }

  /** Slots that can be found. */
  get count(): number {
    return this.#index.size
  }

  generationOf(slot: number): number {
    return this.#generations[slot]!
  }

  checksumOf(slot: number): number {
    return this.#checksums[slot]!
  }

  /** The slot with the newest record of the hash whose four words stand at `at`, or −1. */
  find(words: Uint32Array, at: number): number {
    return this.#index.findHighest(words, at, this.#generations)
  }

  /** What a scan of `count` records from slot `first` on found; the records count their slots from `first`. */
  replace(first: number, count: number, records: SlotRecords): void {
    const rowOf = new Int32Array(count).fill(NO_ROW)
    for (let row = 0; row < records.count; row++)
      if (records.lengths[row] === this.#slotBytes) rowOf[records.slots[row]!] = row
    for (let index = 0; index < count; index++) this.#set(first + index, records, rowOf[index]!)
  }

  /** A slot whose block cannot be had is found no more, until it has another record. */
  forget(slot: number, generation: number): void {
    if (this.#generations[slot] === generation) this.#unlink(slot)
  }

  #set(slot: number, records: SlotRecords, row: number): void {
    const generation = row === NO_ROW ? 0 : records.generations[row]!
    if (this.#generations[slot] === generation) return
    this.#unlink(slot)
    this.#generations[slot] = generation
    if (row === NO_ROW) return
    this.#hashes.set(records.hashes.subarray(row * WORDS_PER_HASH, (row + 1) * WORDS_PER_HASH), slot * WORDS_PER_HASH)
    this.#checksums[slot] = records.checksums[row]!
    this.#link(slot)
  }

  #link(slot: number): void {
    this.#index.insert(slot)
    this.#isLinked[slot] = 1
  }

  #unlink(slot: number): void {
    if (this.#isLinked[slot] === 0) return
    this.#index.remove(slot)
    this.#isLinked[slot] = 0
  }
}
