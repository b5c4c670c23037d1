import {
  BLOCKS_MAX,
  type BlockHashes,
  ClosedError,
  invalidArgument,
  type Storage,
  type StorageDescription,
  StorageIoError,
  WORDS_PER_HASH,
} from '@kvbm/core'
import { type FoundSlots, samePrefix, standingPrefix } from './found-slots.js'
import type { OpenSlotsOptions } from './open-slots.js'
import {
  identityOf,
  openReaderFiles,
  type ReaderFiles,
  type ReaderPlace,
  readSuperblockBeside,
} from './reader-files.js'
import { type Expectation, isSlotDirectoryThere } from './slot-directory.js'
import { directIoFor, slotGeometry } from './slot-geometry.js'
import { SlotIndex } from './slot-index.js'
import {
  COUNTERS_OFFSET,
  RECORD_BYTES,
  SLOTS_MAX,
  SLOTS_PER_TABLE_SEGMENT,
  type Superblock,
  TABLE_OFFSET,
} from './superblock.js'
import type { NativeTransferRuntime } from './transfer-runtime.js'
import { wrapMemory } from './wrap-memory.js'

/** Whose slots are read, and how large they are. */
export type ReadSlotsOptions = Pick<OpenSlotsOptions, 'fingerprint' | 'slotBytes'>

/** What one state of the files gave. */
interface Opened {
  readonly files: ReaderFiles
  readonly index: SlotIndex
  readonly epoch: number
  /** The change counter of each segment, as it stood before the segment was scanned. */
  readonly seen: BigUint64Array
}

/** No counter gets there: the segment was not scanned yet. */
const NEVER = 2n ** 64n - 1n
/** Names no region: nothing is copied from where nothing is found. */
const NO_REGION = -1
const NOTHING_THERE = 'nothing is stored there yet, or its files were removed'

/**
 * Reads the slots of a disk tier beside the process that writes them: no lock, no pool, nothing is changed. The writer may overwrite
 * any slot at any moment; so an index of hashes only says where to look, and every read looks at the records before and after it
 * copies the data. A block whose record is not the same both times, or whose bytes do not fit, is a miss. Files that are removed or
 * replaced are misses, too, until `refresh()` finds others in their place.
 */
export class SlotReader {
  readonly slotBytes: number
  readonly slotStride: number
  readonly #place: ReaderPlace
  readonly #runtime: NativeTransferRuntime
  readonly #expected: Expectation
  #opened: Opened | undefined
  #storage: Storage
  #reason = NOTHING_THERE
  #lastLook: Promise<void> = Promise.resolve()
  #nextLook: Promise<void> | undefined
  #wasOpened = false
  #isClosed = false

  private constructor(place: ReaderPlace, runtime: NativeTransferRuntime, options: ReadSlotsOptions) {
    const { slotBytes, slotStride } = slotGeometry({ numSlots: 1, slotBytes: options.slotBytes })
    this.slotBytes = slotBytes
    this.slotStride = slotStride
    this.#place = place
    this.#runtime = runtime
    this.#expected = { fingerprint: options.fingerprint, slotBytes, slotStride }
    this.#storage = this.#makeStorage(NO_REGION)
  }

  /** Made by `DiskAllocator.openSlotsReadOnly`. */
  static async open(
    place: ReaderPlace,
    runtime: NativeTransferRuntime,
    options: ReadSlotsOptions,
  ): Promise<SlotReader> {
    const reader = new SlotReader(place, runtime, options)
    try {
      await reader.#look()
    } catch (error) {
      await reader.close()
      throw error
    }
    return reader
  }

  /** The data as a source of copies: slot i begins at i × slotStride. Another one when other files were found in their place. */
  get storage(): Storage {
    return this.#storage
  }

  /** Blocks that can be found. */
  get count(): number {
    return this.#opened?.index.count ?? 0
  }

  /** Slots of the writer's table. */
  get numSlots(): number {
    return this.#opened?.index.numSlots ?? 0
  }

  /** Raised by each process that opened the slots for writing. */
  get epoch(): number {
    return this.#opened?.epoch ?? 0
  }

  /** Why nothing can be found; empty while the files are there and ours. */
  get reason(): string {
    return this.#reason
  }

  /** 1 for every hash that can be found; does not stop at a miss. */
  scan(hashes: BlockHashes): Uint8Array {
    const present = new Uint8Array(hashes.count)
    const index = this.#opened?.index
    if (index === undefined) return present
    for (let row = 0; row < hashes.count; row++)
      if (index.find(hashes.words, row * WORDS_PER_HASH) >= 0) present[row] = 1
    return present
  }

  /** Where the longest prefix that can be found lies. What is found is not kept: reading it later may be a miss. */
  find(hashes: BlockHashes): FoundSlots {
    const slots = new Uint32Array(hashes.count)
    const index = this.#opened?.index
    let count = 0
    for (; index !== undefined && count < hashes.count; count++) {
      const slot = index.find(hashes.words, count * WORDS_PER_HASH)
      if (slot < 0) break
      slots[count] = slot
    }
    const found = slots.subarray(0, count)
    return {
      slots: found,
      hashes: hashes.words.subarray(0, count * WORDS_PER_HASH),
      generations: Float64Array.from(found, (slot) => index!.generationOf(slot)),
      checksums: found.map((slot) => index!.checksumOf(slot)),
    }
  }

  /** These blocks are found no more, until their slots have other records. */
  forget({ slots, generations }: FoundSlots, from = 0, to = slots.length): void {
    const index = this.#opened?.index
    for (let row = from; row < to; row++) if (slots[row]! < this.numSlots) index?.forget(slots[row]!, generations[row]!)
  }

  /**
   * Looks for what the writer stored since: reads epoch and change counters, and the records of segments that changed. Never rejects:
   * files that cannot be used any more are misses, and `reason` says why. Calls that come meanwhile share the next look.
   */
  refresh(): Promise<void> {
    this.#nextLook ??= this.#lastLook.then(() => {
      this.#nextLook = undefined
      return this.#refresh()
    })
    this.#lastLook = this.#nextLook
    return this.#nextLook
  }

  /**
   * Runs `copy`, which reads the data of these blocks from `storage`, between two looks at their records. Resolves with how many of
   * them, from the first on, had the record they were found by before and after: the bytes of those are what was written under it,
   * and have yet to be held against their checksums. The block after them is forgotten. Rejects as `copy` does.
   */
  async whileStanding(found: FoundSlots, copy: () => Promise<void>): Promise<number> {
    const files = this.#opened?.files
    if (files === undefined || found.slots.length === 0) return 0
    try {
      const standing = await this.#copyBetween(files, found, copy)
      this.forget(found, standing, Math.min(standing + 1, found.slots.length))
      return standing
    } catch (error) {
      // The files were exchanged under the copy.
      if (this.#opened?.files !== files) return 0
      throw error
    }
  }

  /**
   * Reads found blocks into `into` (`found.slots.length × slotBytes`). Resolves with how many of them, from the first on, are sound;
   * what stands behind them in `into` is of no use.
   */
  async read(found: FoundSlots, into: Uint8Array): Promise<number> {
    const count = found.slots.length
    if (into.byteLength !== count * this.slotBytes)
      throw invalidArgument('into.byteLength', `${count * this.slotBytes} (blocks × bytes of a slot)`, into.byteLength)
    const sums = new Uint32Array(count)
    const standing = await this.whileStanding(found, () => this.#copyInto(found, into, sums))
    const sound = soundPrefix(sums.subarray(0, standing), found.checksums)
    if (sound < standing) this.forget(found, sound, sound + 1)
    return sound
  }

  /**
   * Whether who writes here next writes what is read here: the table that is open lies under its name; or there never was one, and
   * the directory is there. Of a directory that was removed or replaced nobody can say that its writer is gone: its lock went with it.
   */
  async isInPlace(): Promise<boolean> {
    if (this.#opened !== undefined) return this.#isOpenInPlace(this.#opened)
    const { root } = this.#place
    return !this.#wasOpened && isSlotDirectoryThere(root, this.#expected.fingerprint)
  }

  /** Rejects with `StorageIoError` where it is not. */
  async expectInPlace(): Promise<void> {
    if (await this.isInPlace()) return
    throw new StorageIoError(`${this.#place.root} is not where it was read. Bring it back, or open it again.`)
  }

  /** Path, direct I/O, the writer's epoch and what can be found. */
  describe(): StorageDescription {
    return this.storage.describe()
  }

  /** Closes the files once nothing reads them. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#lastLook
    await this.#drop('it is closed')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #refresh(): Promise<void> {
    if (this.#isClosed) return
    try {
      await this.#look()
    } catch (error) {
      await this.#drop(error instanceof Error ? error.message : String(error))
    }
  }

  /** Rejects with `DirectoryForeignError` or `StorageIoError`. */
  async #look(): Promise<void> {
    const before = this.#opened
    if (before !== undefined && !(await this.#isOpenInPlace(before))) await this.#drop(NOTHING_THERE)
    const files = this.#opened?.files ?? (await openReaderFiles(this.#place, this.#expected))
    if (files === undefined) return
    try {
      await this.#scan(files)
      this.#reason = ''
    } catch (error) {
      if (this.#opened === undefined) await files.close()
      throw error
    }
  }

  async #isOpenInPlace({ files }: Opened): Promise<boolean> {
    return files.identity === (await identityOf(files.paths))
  }

  /** Counters are read before records, so that what changes meanwhile is looked at again. */
  async #scan(files: ReaderFiles): Promise<void> {
    const { binding } = this.#place
    const superblock = await readSuperblockBeside(binding, files, this.#expected)
    const { index, seen } = this.#stateFor(files, superblock)
    const counters = countersOf(await binding.readFile(files.table.id, COUNTERS_OFFSET, seen.byteLength), seen.length)
    for (let segment = 0; segment < seen.length; segment++) {
      if (seen[segment] === counters[segment]) continue
      await this.#scanSegment(files, index, segment)
      seen[segment] = counters[segment]!
    }
  }

  /** What is known goes on being known while one writer has the table; of another epoch everything is looked at. */
  #stateFor(files: ReaderFiles, superblock: Superblock): Opened {
    const { epoch } = superblock
    const numSlots = Math.min(superblock.numSlots, BLOCKS_MAX)
    const known = this.#opened
    const fits = known?.index.numSlots === numSlots
    if (fits && known.epoch === epoch) return known
    const index = fits ? known.index : new SlotIndex({ numSlots, slotBytes: this.slotBytes })
    const seen = new BigUint64Array(Math.ceil(numSlots / SLOTS_PER_TABLE_SEGMENT)).fill(NEVER)
    if (known?.files !== files) this.#storage = this.#makeStorage(files.data.id)
    this.#opened = { files, index, epoch, seen }
    this.#wasOpened = true
    return this.#opened
  }

  async #scanSegment({ table }: ReaderFiles, index: SlotIndex, segment: number): Promise<void> {
    const first = segment * SLOTS_PER_TABLE_SEGMENT
    const count = Math.min(SLOTS_PER_TABLE_SEGMENT, index.numSlots - first)
    const offset = TABLE_OFFSET + first * RECORD_BYTES
    index.replace(first, count, await this.#place.binding.readSlots(table.id, offset, count))
  }

  async #copyBetween(files: ReaderFiles, found: FoundSlots, copy: () => Promise<void>): Promise<number> {
    const before = await this.#records(files, found.slots)
    const stood = standingPrefix(before, found, this.slotBytes)
    if (stood === 0) return 0
    await copy()
    return Math.min(stood, samePrefix(before, await this.#records(files, found.slots)))
  }

  /** The records of these slots, one after the other, in one job. */
  async #records({ table }: ReaderFiles, slots: Uint32Array): Promise<Uint8Array> {
    const bytes = new Uint8Array(slots.length * RECORD_BYTES)
    const memory = wrapMemory(bytes, { runtime: this.#runtime })
    const runs = new Float64Array(slots.length * 5)
    for (const [row, slot] of slots.entries())
      runs.set(
        [table.id, TABLE_OFFSET + slot * RECORD_BYTES, memory.regionId, row * RECORD_BYTES, RECORD_BYTES],
        row * 5,
      )
    try {
      await this.#runtime.submit({ runs })
      return bytes
    } finally {
      await memory.close()
    }
  }

  async #copyInto({ slots }: FoundSlots, into: Uint8Array, sums: Uint32Array): Promise<void> {
    const { slotBytes, slotStride } = this
    const memory = wrapMemory(into, { runtime: this.#runtime })
    const [runs, pieces] = [new Float64Array(slots.length * 5), new Float64Array(slots.length * 4)]
    for (const [row, slot] of slots.entries()) {
      runs.set([this.storage.regionId, slot * slotStride, memory.regionId, row * slotBytes, slotBytes], row * 5)
      pieces.set([row, memory.regionId, row * slotBytes, slotBytes], row * 4)
    }
    try {
      await this.#runtime.submit({ runs, sums: { pieces, into: sums, when: 'after' } })
    } finally {
      await memory.close()
    }
  }

  async #drop(reason: string): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    this.#reason = reason
    await opened?.files.close()
  }

  #describe(): StorageDescription {
    const { direct, note } = directIoFor(this.slotBytes, this.#place.directIo)
    const opened = this.#opened
    const why = opened?.files.data.note || (direct ? '' : note)
    return {
      kind: 'disk',
      sizeBytes: this.numSlots * this.slotStride,
      facts: {
        path: opened?.files.paths.data ?? this.#place.root,
        directIo: opened?.files.data.direct ?? false,
        readOnly: true,
        slots: this.numSlots,
        slotBytes: this.slotBytes,
        slotStride: this.slotStride,
        epoch: this.epoch,
        found: this.count,
      },
      notes: [this.#reason, why].filter((sentence) => sentence !== ''),
    }
  }

  #makeStorage(regionId: number): Storage {
    const checkOpen = (): void => {
      if (this.#isClosed) throw new ClosedError('slot reader')
    }
    return {
      kind: 'disk',
      // The writer may have more slots tomorrow; which of them are there, the records say.
      sizeBytes: Math.min(SLOTS_MAX * this.slotStride, Number.MAX_SAFE_INTEGER),
      regionId,
      alignmentOffset: () => 0,
      commit: checkOpen,
      bytes: () => undefined,
      describe: () => this.#describe(),
      close: () => this.close(),
    }
  }
}

function countersOf(bytes: Uint8Array, segments: number): BigUint64Array {
  const counters = new BigUint64Array(segments)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at + 8 <= bytes.byteLength; at += 8) counters[at / 8] = view.getBigUint64(at, true)
  return counters
}

function soundPrefix(sums: Uint32Array, checksums: Uint32Array): number {
  const damaged = sums.findIndex((sum, row) => sum !== checksums[row])
  return damaged < 0 ? sums.length : damaged
}
