import { WORDS_PER_HASH } from '@kvbm/core'
import type { SlotRecords } from '@kvbm/native'

const EMPTY = -1

/**
 * Which slot has the block of a hash, as the records said when they were last read: open addressing with linear probing, at most
 * half full, over columns by slot. Invariant: no empty bucket lies between a slot's home and its bucket, which removal keeps by
 * moving later slots back. One hash may stand in several slots; the newest generation counts.
 */
export class SlotIndex {
  readonly numSlots: number
  readonly #slotBytes: number
  readonly #buckets: Int32Array
  readonly #mask: number
  readonly #shift: number
  readonly #hashes: Uint32Array
  /** 0 where the slot was free. Stays when a slot is forgotten, so that the same record is not found again. */
  readonly #generations: Float64Array
  readonly #checksums: Uint32Array
  readonly #isLinked: Uint8Array
  #count = 0

  constructor({ numSlots, slotBytes }: { readonly numSlots: number; readonly slotBytes: number }) {
    const bits = Math.max(1, Math.ceil(Math.log2(numSlots * 2)))
    this.numSlots = numSlots
    this.#slotBytes = slotBytes
    this.#buckets = new Int32Array(2 ** bits).fill(EMPTY)
    this.#mask = 2 ** bits - 1
    this.#shift = 32 - bits
    this.#hashes = new Uint32Array(numSlots * WORDS_PER_HASH)
    this.#generations = new Float64Array(numSlots)
    this.#checksums = new Uint32Array(numSlots)
    this.#isLinked = new Uint8Array(numSlots)
  }

  /** Slots that can be found. */
  get count(): number {
    return this.#count
  }

  generationOf(slot: number): number {
    return this.#generations[slot]!
  }

  checksumOf(slot: number): number {
    return this.#checksums[slot]!
  }

  /** The slot with the newest record of the hash whose four words stand at `at`, or −1. */
  find(words: Uint32Array, at: number): number {
    let newest = EMPTY
    for (let bucket = this.#home(words, at); this.#buckets[bucket] !== EMPTY; bucket = (bucket + 1) & this.#mask) {
      const slot = this.#buckets[bucket]!
      if (!this.#hasHash(slot, words, at)) continue
      if (newest === EMPTY || this.#generations[slot]! > this.#generations[newest]!) newest = slot
    }
    return newest
  }

  /** What a scan of `count` records from slot `first` on found; the records count their slots from `first`. */
  replace(first: number, count: number, records: SlotRecords): void {
    const rowOf = new Int32Array(count).fill(EMPTY)
    for (let row = 0; row < records.count; row++)
      if (records.lengths[row] === this.#slotBytes) rowOf[records.slots[row]!] = row
    for (let index = 0; index < count; index++) this.#set(first + index, records, rowOf[index]!)
  }

  /** A slot whose block cannot be had is found no more, until it has another record. */
  forget(slot: number, generation: number): void {
    if (this.#generations[slot] === generation) this.#unlink(slot)
  }

  #set(slot: number, records: SlotRecords, row: number): void {
    const generation = row === EMPTY ? 0 : records.generations[row]!
    if (this.#generations[slot] === generation) return
    this.#unlink(slot)
    this.#generations[slot] = generation
    if (row === EMPTY) return
    this.#hashes.set(records.hashes.subarray(row * WORDS_PER_HASH, (row + 1) * WORDS_PER_HASH), slot * WORDS_PER_HASH)
    this.#checksums[slot] = records.checksums[row]!
    this.#link(slot)
  }

  #link(slot: number): void {
    let bucket = this.#homeOf(slot)
    while (this.#buckets[bucket] !== EMPTY) bucket = (bucket + 1) & this.#mask
    this.#buckets[bucket] = slot
    this.#isLinked[slot] = 1
    this.#count++
  }

  #unlink(slot: number): void {
    if (this.#isLinked[slot] === 0) return
    let bucket = this.#homeOf(slot)
    while (this.#buckets[bucket] !== slot) bucket = (bucket + 1) & this.#mask
    this.#closeGap(bucket)
    this.#isLinked[slot] = 0
    this.#count--
  }

  /** Moves back every later slot of the cluster whose home is not between the gap and it. */
  #closeGap(from: number): void {
    let gap = from
    for (let at = (gap + 1) & this.#mask; this.#buckets[at] !== EMPTY; at = (at + 1) & this.#mask) {
      const slot = this.#buckets[at]!
      if (((at - this.#homeOf(slot)) & this.#mask) < ((at - gap) & this.#mask)) continue
      this.#buckets[gap] = slot
      gap = at
    }
    this.#buckets[gap] = EMPTY
  }

  #hasHash(slot: number, words: Uint32Array, at: number): boolean {
    const hashes = this.#hashes
    const key = slot * WORDS_PER_HASH
    return (
      hashes[key] === words[at] &&
      hashes[key + 1] === words[at + 1] &&
      hashes[key + 2] === words[at + 2] &&
      hashes[key + 3] === words[at + 3]
    )
  }

  #homeOf(slot: number): number {
    return this.#home(this.#hashes, slot * WORDS_PER_HASH)
  }

  /** Words of a cryptographic hash would do as they are; others are mixed, so that counters spread too. */
  #home(words: Uint32Array, at: number): number {
    return Math.imul(words[at]! ^ Math.imul(words[at + 2]!, 0x85ebca6b), 0x9e3779b1) >>> this.#shift
  }
}
