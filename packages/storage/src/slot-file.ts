import { ClosedError, type DisposeStack, invalidArgument, type Storage, type StorageDescription } from '@kvbm/core'
import type { Binding, RecoveredSlots } from '@kvbm/native'
import type { ChangeCounters } from './change-counters.js'
import type { SegmentedGrowth } from './segmented-growth.js'
import type { SlotGeometry } from './slot-geometry.js'
import type { SlotPlace } from './slot-place.js'
import { type CommitRows, checkRows } from './slot-records.js'
import { type Superblock, TABLE_OFFSET } from './superblock.js'
import { readSuperblock, writeSuperblock } from './superblock-file.js'

/** Generations reserved in the superblock at once: one more write of it per million commits. */
export const GENERATIONS_AHEAD = 2 ** 20

/** The most of the data file that a probe of reading asks for. */
const PROBE_BYTES_MAX = 65_536

/** What opening found and made; `owned` undoes all of it. */
export interface SlotFileParts {
  readonly binding: Binding
  readonly place: SlotPlace
  readonly table: number
  readonly storage: Storage
  readonly geometry: SlotGeometry
  readonly growth: SegmentedGrowth
  readonly counters: ChangeCounters
  readonly superblock: Superblock
  readonly recovered: RecoveredSlots
  readonly nextGeneration: number
  readonly owned: DisposeStack
}

/**
 * The files of a disk tier: fixed slots of block bytes beside a table of records that say what is in them. A block is
 * stored in four steps: `reserve` its slot, `invalidate` the record, write the bytes by a transfer to `storage`,
 * `commit` the record. Whenever the process dies, every record found on opening describes bytes written whole.
 */
export class SlotFile {
  readonly numSlots: number
  readonly slotBytes: number
  /** Slot i begins at `i × slotStride`: `slotBytes` rounded up to 4,096, except that smaller slots are packed. */
  readonly slotStride: number
  /** The bytes of all slots as one region. */
  readonly storage: Storage
  /** What the one scan at opening found. Its columns are for whoever opened it, who may write to them. */
  readonly recovered: RecoveredSlots
  readonly #parts: SlotFileParts
  readonly #pending = new Set<Promise<void>>()
  /** 1 where the file may hold a valid record. A slot without one needs no invalidation. */
  readonly #live: Uint8Array
  #superblock: Superblock
  #nextGeneration: number
  /** Settles when all invalidations begun so far have ended. */
  #invalidations: Promise<unknown> = Promise.resolve()
  #raising: Promise<void> | undefined
  #closing: Promise<void> | undefined

  /** Made by `DiskAllocator.openSlots`. */
  constructor(parts: SlotFileParts) {
    this.numSlots = parts.geometry.numSlots
    this.slotBytes = parts.geometry.slotBytes
    this.slotStride = parts.geometry.slotStride
    this.storage = parts.storage
    this.recovered = parts.recovered
    this.#parts = parts
    this.#superblock = parts.superblock
    this.#nextGeneration = parts.nextGeneration
    this.#live = parts.recovered.live.slice()
  }

  /** Makes room for these slots where the file has not grown yet. Rejects with `StorageFullError`. */
  reserve(slots: Uint32Array): Promise<void> {
    return this.#run(slots, () => this.#parts.growth.ensure(this.#segmentsOf(slots)))
  }

  /**
   * Frees the records of these slots, before anything is written to them or when their blocks are given up. Resolves
   * after every earlier invalidation too, so that none of them can take away a record committed afterwards.
   */
  invalidate(slots: Uint32Array): Promise<void> {
    return this.#run(slots, async () => {
      const earlier = this.#invalidations
      const own = this.#clear(slots.filter((slot) => this.#live[slot] === 1))
      this.#invalidations = Promise.allSettled([earlier, own])
      await earlier
      await own
    })
  }

  /** Writes the records of slots whose bytes have been written. Resolved means: found again after any process death. */
  commit(rows: CommitRows): Promise<void> {
    return this.#run(rows.slots, async () => {
      checkRows(rows)
      const { binding, table, counters } = this.#parts
      const count = rows.slots.length
      const generations = this.#takeGenerations(count)
      await this.#coverGenerations()
      for (const slot of rows.slots) this.#live[slot] = 1
      const lengths = new Uint32Array(count).fill(this.slotBytes)
      await binding.writeSlots(table, TABLE_OFFSET, { ...rows, generations, lengths })
      await counters.bump(rows.slots)
    })
  }

  /**
   * Rejects with `StorageIoError` where the files are not found any more under their names: what is stored in them would go with
   * this process. What was seen at most `ageMs` ago counts.
   */
  expectInPlace(ageMs = 0): Promise<void> {
    return this.#parts.place.expect(ageMs)
  }

  /** Reads table and data where there need be no block. Rejects with `StorageIoError` or `ClosedError`. */
  async probeReading(): Promise<void> {
    this.#assertOpen()
    await this.#track(this.#probeReading())
  }

  /**
   * What storing a block needs besides its slot: the files are where they were, the table can be written. Rejects with what is wrong:
   * `StorageFullError`, `StorageIoError` or `ClosedError`.
   */
  async probeWriting(): Promise<void> {
    this.#assertOpen()
    await this.#track(this.#probeWriting())
  }

  /** Path, direct I/O, growth, writer epoch, what was recovered, dropped and damaged; notes say why not better. */
  describe(): StorageDescription {
    return this.storage.describe()
  }

  /** Awaits what it has under way, closes the files, then gives the lock back. Await transfers first. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#pending)
    await this.#parts.owned.close()
  }

  async #run(slots: Uint32Array, act: () => Promise<void>): Promise<void> {
    this.#assertOpen()
    this.#checkSlots(slots)
    if (slots.length > 0) await this.#track(act())
  }

  /** Work that `close` awaits. */
  async #track(work: Promise<void>): Promise<void> {
    this.#pending.add(work)
    try {
      await work
    } finally {
      this.#pending.delete(work)
    }
  }

  async #clear(slots: Uint32Array): Promise<void> {
    if (slots.length === 0) return
    await this.#parts.binding.clearSlots(this.#parts.table, TABLE_OFFSET, slots)
    for (const slot of slots) this.#live[slot] = 0
  }

  async #probeReading(): Promise<void> {
    const { binding, table, storage } = this.#parts
    await readSuperblock(binding, table)
    await binding.readFile(storage.regionId, 0, Math.min(this.slotBytes, PROBE_BYTES_MAX))
  }

  async #probeWriting(): Promise<void> {
    await this.expectInPlace()
    await this.#raise()
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new ClosedError('slot file')
  }

  #checkSlots(slots: Uint32Array): void {
    for (const slot of slots) {
      if (slot >= this.numSlots) throw invalidArgument('slot', `0 to ${this.numSlots - 1}`, slot)
    }
  }

  #segmentsOf(slots: Uint32Array): Set<number> {
    const { slotsPerSegment } = this.#parts.geometry
    const segments = new Set<number>()
    for (const slot of slots) segments.add(Math.floor(slot / slotsPerSegment))
    return segments
  }

  #takeGenerations(count: number): Float64Array {
    const first = this.#nextGeneration
    this.#nextGeneration += count
    const generations = new Float64Array(count)
    for (let index = 0; index < count; index++) generations[index] = first + index
    return generations
  }

  /** No record may carry a generation that the superblock does not cover: it could come again after all are cleared. */
  async #coverGenerations(): Promise<void> {
    while (this.#nextGeneration > this.#superblock.generationFloor) await this.#raise()
  }

  /** One at a time; whoever comes meanwhile waits for the same one. */
  #raise(): Promise<void> {
    this.#raising ??= this.#raiseFloor().finally(() => {
      this.#raising = undefined
    })
    return this.#raising
  }

  async #raiseFloor(): Promise<void> {
    const generationFloor = this.#nextGeneration + GENERATIONS_AHEAD
    const { binding, table } = this.#parts
    this.#superblock = await writeSuperblock(binding, table, { ...this.#superblock, generationFloor })
  }
}
