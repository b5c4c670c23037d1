import { type BlockHashes, type BlockShape, blockBytes, type Storage, type TierName } from '@kvbm/core'
import type { Layout } from '@kvbm/layout'
import type { BlockPool, ImmutableBlocks, MutableBlocks, RegisterOptions, ResetReport } from '@kvbm/pool'
import type { SlotFile } from '@kvbm/storage'
import { DISK_REGISTRAR } from './disk-registrar.js'
import type { WaitOptions } from './patience.js'
import { RecordNames } from './record-names.js'
import type { BlockCounts } from './tier-counts.js'
import { TransfersInFlight } from './transfers-in-flight.js'

/** Memory for blocks on their way is kept like a tier, but nothing in it has a name. */
export type StoreName = TierName | 'staging'

/** `degraded`: reading or writing failed, and no probe and no copy has gone well since. `off`: it could not be opened safely. */
export type TierState = 'ok' | 'degraded' | 'off'

export type Doing = 'reading' | 'writing'

/** Reading first: it may go well where writing hangs or finds no room. */
export const DOINGS: readonly Doing[] = ['reading', 'writing']

/** Whether this process writes a disk tier or reads beside the one that does, and why. */
export interface TierRole {
  readonly role: 'writer' | 'reader'
  readonly reason: string
}

export interface TierParts<N extends StoreName> {
  readonly name: N
  readonly shape: BlockShape
  readonly pool: BlockPool
  readonly layout: Layout
  readonly storages: readonly Storage[]
  /** Only the disk tier: its superblock and slot records. */
  readonly slots?: SlotFile | undefined
  /** Only the disk tier. */
  readonly role?: TierRole | undefined
  /** Fill blocks with 0xDD when they are handed out, so that a stale view shows it. */
  readonly poison?: boolean
  /** On disk: how long it counts that the files were seen where they were opened. Default 1 s: one look per second of writing. */
  readonly placeAgeMs?: number | undefined
}

const PLACE_AGE_MS = 1000

const POISON = 0xdd

// What is known of a block's bytes.
const NOTHING = 0
const CHECKSUM = 1
const DAMAGED = 2

/**
 * One tier: a pool that says who holds block n, and a layout that says where block n lies. This is the one place of the house
 * where the two meet. The pool never sees a byte and the layout owns no memory; what joins them is that a block id of the pool
 * *is* the block index of the layout and, on disk, the slot. So everything kept per block outside the pool is an array by id.
 */
export class TierStore<N extends StoreName = StoreName> {
  readonly name: N
  readonly pool: BlockPool
  readonly storages: readonly Storage[]
  readonly slots: SlotFile | undefined
  readonly role: TierRole | undefined
  readonly inFlight = new TransfersInFlight()
  readonly blockBytes: number
  /** Why reading or writing failed when it was last tried. */
  readonly failures = new Map<Doing, string>()
  lastError = ''
  /** How often it was probed while degraded, and how often it began to work again. */
  probes = 0
  recoveries = 0
  readonly #layout: Layout
  /** CRC32C of block n's canonical bytes; meaningful where `#known[n]` is CHECKSUM. */
  readonly #checksums: Uint32Array
  readonly #known: Uint8Array
  readonly #recordNames: RecordNames | undefined
  readonly #poison: boolean
  readonly #placeAgeMs: number

  constructor(parts: TierParts<N>) {
    const { name, shape, pool, layout, storages, slots, role, poison = false, placeAgeMs = PLACE_AGE_MS } = parts
    this.name = name
    this.pool = pool
    this.#layout = layout
    this.storages = storages
    this.slots = slots
    this.role = role
    this.blockBytes = blockBytes(shape)
    this.#checksums = slots?.recovered.checksums ?? new Uint32Array(pool.total)
    // A slot that is live has a checksum: 1 says both.
    this.#known = slots?.recovered.live ?? new Uint8Array(pool.total)
    this.#recordNames = slots && new RecordNames(slots)
    this.#poison = poison
    this.#placeAgeMs = placeAgeMs
  }

  /** Where block n lies. */
  get layout(): Layout {
    return this.#layout
  }

  get onDisk(): boolean {
    return this.name === 'disk'
  }

  /** Nothing can be stored here, because another process writes. */
  get isReadOnly(): boolean {
    return false
  }

  get counts(): BlockCounts {
    const { total, free, inactive, held, quarantined } = this.pool
    return { total, free, inactive, held, quarantined }
  }

  get state(): TierState {
    return this.failures.size === 0 ? 'ok' : 'degraded'
  }

  /** Empty while the state is ok. */
  get reason(): string {
    return [...this.failures].map(([doing, why]) => `${doing}: ${why}`).join('; ')
  }

  /** Whether look-ups find blocks here. A tier that fails to write, as a full disk does, can still be read. */
  get isReadable(): boolean {
    return !this.failures.has('reading')
  }

  /** Whether blocks are copied here in the background: what cannot be read is not worth writing. */
  get isWritable(): boolean {
    return this.failures.size === 0
  }

  allocate(count: number): MutableBlocks {
    return this.#handOut(this.pool.allocate(count))
  }

  allocateUpTo(count: number): MutableBlocks {
    return this.#handOut(this.pool.allocateUpTo(count))
  }

  async acquire(count: number, options: WaitOptions = {}): Promise<MutableBlocks> {
    return this.#handOut(await this.pool.acquire(count, options))
  }

  /** 1 for every hash that is here; does not stop at a miss, holds and touches nothing. */
  scan(hashes: BlockHashes): Uint8Array {
    return this.pool.scan(hashes)
  }

  /** The longest prefix of `hashes` that is here, held. */
  match(hashes: BlockHashes): ImmutableBlocks {
    return this.pool.match(hashes)
  }

  /** Like `match`, for work in the background: counts neither hits nor misses. */
  peek(hashes: BlockHashes): ImmutableBlocks {
    return this.pool.peek(hashes)
  }

  /** Makes the prefix that is here the most recently used. Returns its length. */
  touch(hashes: BlockHashes): number {
    using blocks = this.peek(hashes)
    return blocks.count
  }

  /** Blocks that `allocate` could give now. */
  get available(): number {
    return this.isReadOnly ? 0 : this.pool.available
  }

  /** Where the layout has these blocks. */
  placesOf(ids: Uint32Array): Uint32Array {
    return ids
  }

  /**
   * Runs `copy`, which reads these blocks. Resolves with how many of them, from the first on, nobody changed meanwhile: all, where this
   * process alone writes.
   */
  async whileStanding(blocks: ImmutableBlocks, copy: () => Promise<void>): Promise<number> {
    await copy()
    return blocks.count
  }

  /** A damaged block is unmatchable at once, and its place is not used again by this process. */
  takeOut(id: number): void {
    this.pool.discard(Uint32Array.of(id), { reason: 'discarded', quarantine: true })
  }

  /** Some block whose checksum is known, from a place drawn by chance on; undefined where there is none. */
  anyKnown(): number | undefined {
    const from = Math.floor(Math.random() * this.#known.length)
    const later = this.#known.indexOf(CHECKSUM, from)
    const id = later < 0 ? this.#known.indexOf(CHECKSUM) : later
    return id < 0 ? undefined : id
  }

  /** CRC32C of block `id`, or undefined before the block left its first tier. */
  checksumOf(id: number): number | undefined {
    return this.#known[id] === CHECKSUM ? this.#checksums[id] : undefined
  }

  recordChecksum(id: number, checksum: number): void {
    this.#checksums[id] = checksum
    this.#known[id] = CHECKSUM
  }

  isDamaged(id: number): boolean {
    return this.#known[id] === DAMAGED
  }

  markDamaged(id: number): void {
    this.#known[id] = DAMAGED
  }

  /** Tries what reading needs besides the bytes of a block. Rejects with what is wrong. */
  async probeReading(): Promise<void> {
    await this.slots?.probeReading()
  }

  /** Tries what writing needs besides a block. Rejects with what is wrong. */
  async probeWriting(): Promise<void> {
    await this.slots?.probeWriting()
  }

  /** On disk: rejects with `StorageIoError` where its files are not found any more under their names. */
  async expectInPlace(): Promise<void> {
    await this.slots?.expectInPlace(this.#placeAgeMs)
  }

  /**
   * To be awaited before the bytes of blocks change: on disk the files must be where they were opened, there must be room, and what
   * the records of the blocks said must be gone.
   */
  async prepare(ids: Uint32Array): Promise<void> {
    this.#forget(ids)
    await this.expectInPlace()
    await this.slots?.reserve(ids)
    await this.slots?.invalidate(ids)
    this.#recordNames?.clear(ids)
  }

  /**
   * To be awaited before blocks get their names: remembers the checksums. On disk it writes the records, so that after a crash
   * a slot either has its whole record or is free.
   */
  async record(ids: Uint32Array, hashes: BlockHashes, checksums: Uint32Array | undefined): Promise<void> {
    if (checksums === undefined) return
    await this.#commit(ids.slice(), hashes, checksums)
    for (const [index, id] of ids.entries()) this.recordChecksum(id, checksums[index]!)
  }

  /** Names blocks whose records, on disk, have been written by `record`. */
  register(blocks: MutableBlocks, hashes: BlockHashes, options: RegisterOptions = {}): ImmutableBlocks {
    return blocks.register(hashes, { ...options, registrar: DISK_REGISTRAR })
  }

  /** Forgets every cached block, on disk for later processes, too. Rejects with `RangeError` while blocks are held. */
  async reset(): Promise<void> {
    this.pool.reset()
    await this.slots?.invalidate(Uint32Array.from({ length: this.pool.total }, (_, id) => id))
  }

  /** Forgets those of these blocks that nobody holds, on disk for later processes, too: every record with their name goes. */
  async resetBlocks(hashes: BlockHashes): Promise<ResetReport> {
    const report = this.pool.resetBlocks(hashes)
    const present = this.pool.scan(hashes)
    const records = this.#recordNames?.slotsOf(hashes, (index) => present[index] === 0)
    if (records !== undefined) await this.slots?.invalidate(records)
    return report
  }

  async #commit(slots: Uint32Array, hashes: BlockHashes, checksums: Uint32Array): Promise<void> {
    const positions = Uint32Array.from(slots, (_, index) => hashes.start + index)
    const parents = hashes.backing.slice(0, hashes.words.length)
    try {
      await this.slots?.commit({ slots, hashes: hashes.words, parents, positions, checksums })
    } finally {
      // Also after a failure: some of the records may have been written.
      this.#recordNames?.set(slots, hashes.words)
    }
  }

  /** A block that is handed out has new bytes coming. */
  #handOut(blocks: MutableBlocks): MutableBlocks {
    try {
      this.#forget(blocks.ids)
      if (this.#poison && !this.onDisk) this.#fillWithPoison(blocks.ids)
      return blocks
    } catch (error) {
      blocks.release()
      throw error
    }
  }

  #forget(ids: Uint32Array): void {
    for (const id of ids) this.#known[id] = NOTHING
  }

  #fillWithPoison(ids: Uint32Array): void {
    this.layout.commit(ids)
    for (const id of ids) {
      const view = this.layout.view(id) ?? []
      for (const run of view instanceof Uint8Array ? [view] : view) run.fill(POISON)
    }
  }
}
