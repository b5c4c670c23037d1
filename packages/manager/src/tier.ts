import { type BlockHashes, type BlockShape, blockBytes, type Storage, type TierName } from '@kvbm/core'
import type { Layout } from '@kvbm/layout'
import type { BlockPool, ImmutableBlocks, MutableBlocks } from '@kvbm/pool'
import type { SlotFile } from '@kvbm/storage'
import { TransfersInFlight } from './transfers-in-flight.js'
import type { WaitOptions } from './within.js'

/** `ok`; `degraded`: its last work failed, it goes on being tried; `off`: it takes and gives no blocks. */
export type TierState = 'ok' | 'degraded' | 'off'

export interface TierParts {
  readonly name: TierName | 'staging'
  readonly shape: BlockShape
  readonly pool: BlockPool
  readonly layout: Layout
  readonly storages: readonly Storage[]
  /** Only the disk tier: its superblock and slot records. */
  readonly slots?: SlotFile | undefined
  /** Fill blocks with 0xDD when they are handed out, so that a stale view shows it. */
  readonly poison?: boolean
}

const POISON = 0xdd

/**
 * One tier: a pool that says who holds block n, and a layout that says where block n lies. This is the one place of the house
 * where the two meet. The pool never sees a byte and the layout owns no memory; what joins them is that a block id of the pool
 * *is* the block index of the layout and, on disk, the slot. So everything kept per block outside the pool is an array by id.
 */
export class TierStore {
  readonly name: TierName | 'staging'
  readonly pool: BlockPool
  readonly layout: Layout
  readonly storages: readonly Storage[]
  readonly slots: SlotFile | undefined
  readonly inFlight = new TransfersInFlight()
  readonly blockBytes: number
  state: TierState = 'ok'
  reason = ''
  lastError = ''
  /** CRC32C of block n's canonical bytes; meaningful where `#known[n]` is 1. */
  readonly #checksums: Uint32Array
  readonly #known: Uint8Array
  readonly #poison: boolean

  constructor({ name, shape, pool, layout, storages, slots, poison = false }: TierParts) {
    this.name = name
    this.pool = pool
    this.layout = layout
    this.storages = storages
    this.slots = slots
    this.blockBytes = blockBytes(shape)
    this.#checksums = new Uint32Array(pool.total)
    this.#known = new Uint8Array(pool.total)
    this.#poison = poison
  }

  get onDisk(): boolean {
    return this.slots !== undefined
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

  /** CRC32C of block `id`, or undefined before the block left its first tier. */
  checksumOf(id: number): number | undefined {
    return this.#known[id] === 1 ? this.#checksums[id] : undefined
  }

  recordChecksum(id: number, checksum: number): void {
    this.#checksums[id] = checksum
    this.#known[id] = 1
  }

  /** A block that is handed out has new bytes coming: what was known about the old ones goes. */
  #handOut(blocks: MutableBlocks): MutableBlocks {
    for (const id of blocks.ids) this.#known[id] = 0
    if (this.#poison && !this.onDisk) this.#fillWithPoison(blocks.ids)
    return blocks
  }

  #fillWithPoison(ids: Uint32Array): void {
    this.layout.commit(ids)
    for (const id of ids) {
      const view = this.layout.view(id)
      for (const run of view instanceof Uint8Array ? [view] : (view ?? [])) run.fill(POISON)
    }
  }
}

/** What the user sees of a tier: `manager.host`. */
export class Tier<N extends TierName = TierName> {
  readonly name: N
  readonly #store: TierStore

  constructor(name: N, store: TierStore) {
    this.name = name
    this.#store = store
  }

  /** Blocks of this tier. */
  get numBlocks(): number {
    return this.#store.pool.total
  }

  /** Blocks that `allocate` could give now: free ones, and cached ones that nobody holds. */
  get available(): number {
    return this.#store.pool.available
  }

  /** `count` blocks to write into, or `PoolExhaustedError` and nothing. Evicts the least recently used cached blocks. */
  allocate(count: number): MutableBlocks {
    return this.#store.allocate(count)
  }

  /** As many blocks as there are, at most `count`. */
  allocateUpTo(count: number): MutableBlocks {
    return this.#store.allocateUpTo(count)
  }

  /** Waits for `count` blocks, first come first served; rejects with `DeadlineError`, the signal's reason or `PoolExhaustedError`. */
  acquire(count: number, options?: WaitOptions): Promise<MutableBlocks> {
    return this.#store.acquire(count, options)
  }

  /** The longest prefix of `hashes` that is in this tier, held until released. */
  match(hashes: BlockHashes): ImmutableBlocks {
    return this.#store.pool.match(hashes)
  }

  /** 1 for every hash that is in this tier; does not stop at a miss, holds and touches nothing. */
  scan(hashes: BlockHashes): Uint8Array {
    return this.#store.pool.scan(hashes)
  }

  /** Makes the prefix of `hashes` that is here the most recently used; returns its length in blocks. */
  touch(hashes: BlockHashes): number {
    return this.#store.pool.touch(hashes)
  }

  /** Forgets every cached block. Throws while blocks are held. */
  reset(): void {
    this.#store.pool.reset()
  }
}
