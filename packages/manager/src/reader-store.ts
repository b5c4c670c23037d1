import {
  type BlockHashes,
  type BlockShape,
  DirectoryLockedError,
  type Storage,
  StorageIoError,
  WORDS_PER_HASH,
} from '@kvbm/core'
import type { Layout } from '@kvbm/layout'
import type { BlockPool, ImmutableBlocks, MutableBlocks, ResetReport } from '@kvbm/pool'
import type { FoundSlots, SlotReader } from '@kvbm/storage'
import { DISK_REGISTRAR } from './disk-registrar.js'
import type { BlockCounts } from './tier-counts.js'
import { TierStore } from './tier-store.js'

export interface ReaderStoreParts {
  readonly shape: BlockShape
  /** As many places as leases can hold blocks of; without events, for what is on disk is its writer's to tell. */
  readonly pool: BlockPool
  /** Lays slots, which are not the ids of the pool, over the reader's storage. */
  readonly layoutOf: (storage: Storage) => Layout
  readonly reader: SlotReader
  readonly directory: string
  /** Who writes there. */
  readonly writer: string
}

/**
 * The disk tier of a process that reads beside another one that writes. The reader's index says what is on disk; a block gets a place
 * in the pool, and so an id, only when a lease holds it. Invariant: an id is not a slot here; `#slots` and `#generations` say under
 * which record the block of an id was found last. A lease keeps the id, not the bytes: the writer overwrites them when it likes, so
 * every copy looks at the records before and after, and what changed is a miss.
 */
export class ReaderStore extends TierStore<'disk'> {
  readonly reader: SlotReader
  readonly #directory: string
  readonly #writer: string
  readonly #slots: Uint32Array
  readonly #generations: Float64Array

  readonly #layoutOf: (storage: Storage) => Layout
  #laidOver: { readonly storage: Storage; readonly layout: Layout }

  constructor({ reader, directory, writer, layoutOf, ...parts }: ReaderStoreParts) {
    const { storage } = reader
    const layout = layoutOf(storage)
    super({ name: 'disk', ...parts, layout, storages: [storage], role: { role: 'reader', reason: writer } })
    this.#layoutOf = layoutOf
    this.#laidOver = { storage, layout }
    this.reader = reader
    this.#directory = directory
    this.#writer = writer
    this.#slots = new Uint32Array(parts.pool.total)
    this.#generations = new Float64Array(parts.pool.total)
  }

  /** The reader has another storage when the files were replaced. */
  override get layout(): Layout {
    const { storage } = this.reader
    if (storage !== this.#laidOver.storage) this.#laidOver = { storage, layout: this.#layoutOf(storage) }
    return this.#laidOver.layout
  }

  override get isReadOnly(): boolean {
    return true
  }

  override get isWritable(): boolean {
    return false
  }

  override get counts(): BlockCounts {
    const { held, quarantined } = this.pool
    const { count, numSlots } = this.reader
    const inactive = Math.max(0, count - held)
    return { total: numSlots, free: Math.max(0, numSlots - inactive - held), inactive, held, quarantined }
  }

  override scan(hashes: BlockHashes): Uint8Array {
    return this.reader.scan(hashes)
  }

  override match(hashes: BlockHashes): ImmutableBlocks {
    return this.peek(hashes)
  }

  /** The longest prefix that the index has and the pool has places for. */
  override peek(hashes: BlockHashes): ImmutableBlocks {
    const found = this.reader.find(hashes)
    const blocks = this.#hold(hashes.subarray(0, found.slots.length))
    for (const [row, id] of blocks.ids.entries()) {
      this.#slots[id] = found.slots[row]!
      this.#generations[id] = found.generations[row]!
      this.recordChecksum(id, found.checksums[row]!)
    }
    return blocks
  }

  override placesOf(ids: Uint32Array): Uint32Array {
    return ids.map((id) => this.#slots[id]!)
  }

  override async whileStanding({ ids, hashes }: ImmutableBlocks, copy: () => Promise<void>): Promise<number> {
    const found = this.#foundOf(ids, hashes)
    const standing = await this.reader.whileStanding(found, copy)
    // Whoever found a block again meanwhile knows it by a newer record, which is another's checksum.
    const renewed = ids.findIndex((id, row) => this.#generations[id] !== found.generations[row])
    return renewed < 0 ? standing : Math.min(standing, renewed)
  }

  /** The record stays its writer's; here the block is found no more until its slot has another one. */
  override takeOut(id: number): void {
    const ids = Uint32Array.of(id)
    this.reader.forget(this.#foundOf(ids))
    this.pool.discard(ids, { reason: 'discarded' })
  }

  override async probeReading(): Promise<void> {
    await this.reader.refresh()
    if (this.reader.reason !== '') throw new StorageIoError(this.reader.reason)
  }

  override allocate(count: number): MutableBlocks {
    if (count > 0) throw this.#refused()
    return super.allocate(count)
  }

  override allocateUpTo(_count: number): MutableBlocks {
    return super.allocateUpTo(0)
  }

  override async acquire(count: number): Promise<MutableBlocks> {
    return this.allocate(count)
  }

  override async reset(): Promise<void> {
    throw this.#refused()
  }

  override async resetBlocks(_hashes: BlockHashes): Promise<ResetReport> {
    throw this.#refused()
  }

  /** Gives blocks that have none a place in the pool, and holds all of them. */
  #hold(hashes: BlockHashes): ImmutableBlocks {
    using present = this.pool.peek(hashes)
    const rest = hashes.subarray(present.count)
    using fresh = this.pool.allocateUpTo(rest.count)
    const names = rest.subarray(0, fresh.count)
    using _named = fresh.register(names, { duplicates: 'reject', registrar: DISK_REGISTRAR })
    return this.pool.match(hashes.subarray(0, present.count + names.count))
  }

  #foundOf(ids: Uint32Array, { words }: { readonly words: Uint32Array } = NO_HASHES): FoundSlots {
    return {
      slots: this.placesOf(ids),
      generations: Float64Array.from(ids, (id) => this.#generations[id]!),
      checksums: ids.map((id) => this.checksumOf(id) ?? 0),
      hashes: words.subarray(0, ids.length * WORDS_PER_HASH),
    }
  }

  #refused(): DirectoryLockedError {
    return new DirectoryLockedError(this.#directory, `${this.#writer}, and this one only reads beside it`)
  }
}

const NO_HASHES = { words: new Uint32Array(0) }
