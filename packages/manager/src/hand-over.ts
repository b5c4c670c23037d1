import type { BlockGather, BlockScatter, Storage } from '@kvbm/core'
import { planHandOver, planPieces } from '@kvbm/layout'
import type { ImmutableBlocks, MutableBlocks } from '@kvbm/pool'
import type { NativeTransferRuntime } from '@kvbm/storage'
import type { Lease, LeaseRun } from './lease.js'
import type { Mover } from './mover.js'
import { sliceRun } from './slice-run.js'
import type { Staging } from './staging.js'
import type { TierStore } from './tier.js'
import type { WaitOptions } from './within.js'

export interface HandOverOptions {
  readonly runtime: NativeTransferRuntime
  readonly staging: Staging
  readonly mover: Mover
}

/**
 * Blocks of a lease for an engine: each goes straight from where it is pinned into the hand-over storage, those on disk through
 * bounded staging. No tier need hold the whole prefix. Every block is checked on the way; the first damaged one ends the result.
 */
export class LeaseGather implements BlockGather {
  readonly count: number
  readonly blockBytes: number
  readonly #lease: Lease
  readonly #storeOf: (run: LeaseRun) => TierStore
  readonly #options: HandOverOptions
  readonly #wait: WaitOptions

  constructor(lease: Lease, storeOf: (run: LeaseRun) => TierStore, options: HandOverOptions, wait: WaitOptions) {
    this.count = lease.count
    this.blockBytes = options.staging.store.blockBytes
    this.#lease = lease
    this.#storeOf = storeOf
    this.#options = options
    this.#wait = wait
  }

  async gather(pieces: Float64Array, into: Storage): Promise<number> {
    let first = 0
    for (const run of this.#lease.runs) {
      const sound = await this.#gatherRun(run, first, pieces, into)
      first += sound
      if (sound < run.blocks.count) break
    }
    return first
  }

  #gatherRun(run: LeaseRun, first: number, pieces: Float64Array, into: Storage): Promise<number> {
    const store = this.#storeOf(run)
    if (store.onDisk) return this.#gatherDisk(store, run.blocks, first, pieces, into)
    return this.#gatherMemory(store, run.blocks, first, pieces, into)
  }

  async #gatherMemory(
    store: TierStore,
    blocks: ImmutableBlocks,
    first: number,
    pieces: Float64Array,
    into: Storage,
  ): Promise<number> {
    const { runtime, mover } = this.#options
    this.#wait.signal?.throwIfAborted()
    const ids = blocks.ids.slice()
    const sums = new Uint32Array(ids.length)
    const { runs } = planHandOver({
      layout: store.layout,
      ids,
      pieces,
      first,
      region: into.regionId,
      direction: 'gather',
    })
    await runtime.submit({ runs, sums: { pieces: planPieces(store.layout, ids), into: sums, when: 'before' } })
    const bad = ids.findIndex((id, index) => (store.checksumOf(id) ?? sums[index]) !== sums[index])
    if (bad < 0) return ids.length
    mover.quarantine(store, ids.slice(bad, bad + 1), blocks.hashes.subarray(bad, bad + 1))
    return bad
  }

  async #gatherDisk(
    store: TierStore,
    blocks: ImmutableBlocks,
    first: number,
    pieces: Float64Array,
    into: Storage,
  ): Promise<number> {
    const { staging } = this.#options
    for (let at = 0; at < blocks.count; at += staging.blocksMax) {
      const count = Math.min(blocks.count - at, staging.blocksMax)
      const sound = await staging.use(count, this.#wait, (staged) =>
        this.#gatherStaged(store, blocks, at, staged, first + at, pieces, into),
      )
      if (sound < count) return at + sound
    }
    return blocks.count
  }

  async #gatherStaged(
    store: TierStore,
    blocks: ImmutableBlocks,
    at: number,
    staged: MutableBlocks,
    first: number,
    pieces: Float64Array,
    into: Storage,
  ): Promise<number> {
    const { staging, mover, runtime } = this.#options
    const part = sliceRun(blocks, at, staged.count)
    try {
      const sound = await mover.fetch(store, part, staging.store, staged, this.#wait)
      const ids = staged.ids.slice(0, sound)
      const plan = { layout: staging.store.layout, ids, pieces, first, region: into.regionId }
      await runtime.submit({ runs: planHandOver({ ...plan, direction: 'gather' }).runs })
      return sound
    } finally {
      part.release()
    }
  }
}

/** Fresh blocks of a memory tier that an engine fills. */
export class BlocksScatter implements BlockScatter {
  readonly blockBytes: number
  readonly #store: TierStore
  readonly #blocks: MutableBlocks
  readonly #runtime: NativeTransferRuntime

  constructor(store: TierStore, blocks: MutableBlocks, runtime: NativeTransferRuntime) {
    this.blockBytes = store.blockBytes
    this.#store = store
    this.#blocks = blocks
    this.#runtime = runtime
  }

  get count(): number {
    return this.#blocks.count
  }

  async scatter(pieces: Float64Array, from: Storage): Promise<void> {
    const { layout } = this.#store
    const plan = { layout, ids: this.#blocks.ids, pieces, region: from.regionId }
    await this.#runtime.submit({ runs: planHandOver({ ...plan, direction: 'scatter' }).runs })
  }
}
