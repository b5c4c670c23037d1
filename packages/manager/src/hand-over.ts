import type { BlockGather, BlockScatter, Storage, TierName } from '@kvbm/core'
import { planHandOver } from '@kvbm/layout'
import type { ImmutableBlocks, MutableBlocks } from '@kvbm/pool'
import { type Integrity, sumsOf } from './integrity.js'
import type { Lease, LeaseRun } from './lease.js'
import type { Mover } from './mover.js'
import { patiently, type WaitOptions } from './patience.js'
import { PiecesByBlock } from './pieces-by-block.js'
import { filled, pinned } from './pinned.js'
import { sliceRun } from './slice-run.js'
import { soundInOrder } from './sound-in-order.js'
import type { Staging } from './staging.js'
import type { TierHealth } from './tier-health.js'
import type { TierStore } from './tier-store.js'
import type { Transfers } from './transfers.js'

export interface HandOverOptions {
  readonly transfers: Transfers
  readonly integrity: Integrity
  readonly health: TierHealth
  readonly staging: Staging
  readonly mover: Mover
}

export interface GatherOrder {
  readonly lease: Lease
  readonly storeOf: (run: LeaseRun) => TierStore<TierName>
  readonly wait: WaitOptions
}

/** Blocks that are read together: enough for a disk, and few enough that the caches still hold them when they are summed and handed over. */
const PART_BYTES = 4 * 2 ** 20

/** Where pieces of blocks go: an engine's hand-over storage. */
interface Handing {
  readonly pieces: PiecesByBlock
  readonly into: Storage
  readonly signal: AbortSignal | undefined
}

/**
 * Blocks of a lease for an engine: each goes straight from where it is pinned into the hand-over storage, those on disk through
 * bounded staging. No tier need hold the whole prefix. Every block is checked on the way; the first damaged one ends the result.
 */
export class LeaseGather implements BlockGather {
  readonly count: number
  readonly blockBytes: number
  readonly #order: GatherOrder
  readonly #options: HandOverOptions

  constructor(order: GatherOrder, options: HandOverOptions) {
    this.count = order.lease.count
    this.blockBytes = options.staging.store.blockBytes
    this.#order = order
    this.#options = options
  }

  async gather(pieces: Float64Array, into: Storage): Promise<number> {
    using lease = this.#order.lease.retain()
    const byBlock = new PiecesByBlock(pieces, this.count)
    return await patiently('Handing over blocks', this.#order.wait, (signal) =>
      this.#gatherRuns(lease.runs, { pieces: byBlock, into, signal }),
    )
  }

  async #gatherRuns(runs: readonly LeaseRun[], handing: Handing): Promise<number> {
    let first = 0
    for (const run of runs) {
      const store = this.#order.storeOf(run)
      const sound = store.onDisk
        ? await this.#gatherDisk(store, run.blocks, first, handing)
        : await this.#gatherMemory(store, run.blocks, first, handing)
      first += sound
      if (sound < run.blocks.count) break
    }
    return first
  }

  async #gatherMemory(
    store: TierStore<TierName>,
    blocks: ImmutableBlocks,
    first: number,
    { pieces, into, signal }: Handing,
  ): Promise<number> {
    const { transfers, integrity, health } = this.#options
    transfers.admit(signal)
    const work = async (): Promise<number> => {
      using _pin = pinned(blocks)
      const { ids, hashes } = blocks
      const own = pieces.of(first, ids.length)
      const plan = {
        layout: store.layout,
        ids,
        pieces: own,
        first,
        region: into.regionId,
        direction: 'gather',
      } as const
      const { runs } = planHandOver(plan)
      const taken = integrity.isEnabled ? sumsOf(store.layout, ids, 'before') : undefined
      await transfers.submit(taken === undefined ? { runs } : { runs, sums: taken.sums }, signal)
      return taken === undefined ? ids.length : integrity.soundPrefix(store, ids, hashes, taken.into)
    }
    const what = `Handing over ${blocks.count} blocks of the ${store.name} tier`
    return health.during({ tier: store, doing: 'reading', signal }, () => transfers.run(what, work, { signal }))
  }

  /** In parts, several of them on their way at once: while one is put into the hand-over storage, the next ones are read. */
  #gatherDisk(store: TierStore<TierName>, blocks: ImmutableBlocks, first: number, handing: Handing): Promise<number> {
    const { staging, transfers } = this.#options
    const partMax = Math.max(1, Math.min(Math.floor(PART_BYTES / this.blockBytes), staging.blocksMax))
    return soundInOrder({ count: blocks.count, partMax }, async (at, count) => {
      transfers.admit(handing.signal)
      using part = sliceRun(blocks, at, count)
      return await staging.use(count, handing.signal, (staged) =>
        this.#gatherStaged(store, part, staged, first + at, handing),
      )
    })
  }

  async #gatherStaged(
    store: TierStore<TierName>,
    part: ImmutableBlocks,
    staged: MutableBlocks,
    first: number,
    { pieces, into, signal }: Handing,
  ): Promise<number> {
    const { staging, mover, transfers } = this.#options
    const sound = await mover.fetch(store, part, { store: staging.store, blocks: staged }, signal)
    const work = async (): Promise<void> => {
      using _pin = pinned(staged)
      const ids = staged.ids.slice(0, sound)
      const { layout } = staging.store
      const plan = { layout, ids, pieces: pieces.of(first, sound), first, region: into.regionId } as const
      await transfers.submit({ runs: planHandOver({ ...plan, direction: 'gather' }).runs }, signal)
    }
    await transfers.run(`Handing over ${sound} staged blocks`, work, { signal })
    return sound
  }
}

/** Fresh blocks of a memory tier that an engine fills. */
export class BlocksScatter implements BlockScatter {
  readonly count: number
  readonly blockBytes: number
  readonly #store: TierStore<TierName>
  readonly #blocks: MutableBlocks
  readonly #options: HandOverOptions

  constructor(store: TierStore<TierName>, blocks: MutableBlocks, options: HandOverOptions) {
    this.count = blocks.count
    this.blockBytes = store.blockBytes
    this.#store = store
    this.#blocks = blocks
    this.#options = options
  }

  async scatter(pieces: Float64Array, from: Storage): Promise<void> {
    const { transfers, health } = this.#options
    transfers.admit()
    const what = `Filling ${this.count} blocks of the ${this.#store.name} tier`
    await transfers.alone(this.#blocks, undefined, () =>
      health.during({ tier: this.#store, doing: 'writing' }, () => transfers.run(what, () => this.#fill(pieces, from))),
    )
  }

  async #fill(pieces: Float64Array, from: Storage): Promise<void> {
    using _fill = filled(this.#blocks)
    const plan = { layout: this.#store.layout, ids: this.#blocks.ids, pieces, region: from.regionId } as const
    await this.#options.transfers.submit({ runs: planHandOver({ ...plan, direction: 'scatter' }).runs })
  }
}
