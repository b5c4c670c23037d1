import { randomBytes } from 'node:crypto'
import { StorageIoError, type TierName } from '@kvbm/core'
import { planCopy } from '@kvbm/layout'
import type { MutableBlocks } from '@kvbm/pool'
import { pinned } from './pinned.js'
import type { Staging } from './staging.js'
import type { TierStore } from './tier-store.js'
import type { Transfers } from './transfers.js'

export interface TierProbeOptions {
  readonly staging: Staging
  readonly transfers: Transfers
}

/** Copies of one block's bytes from staging to the tier, and back. */
interface Trial {
  readonly there: Float64Array
  readonly back: Float64Array
}

/**
 * Tries a tier with real work: bytes go from staging to a place of the tier where no named block lies, and come back. On disk that
 * is the space behind the last slot, after everything else that storing a block needs; in memory a block that nobody holds.
 */
export class TierProbe {
  readonly #staging: Staging
  readonly #transfers: Transfers
  /** Tiers whose trial has not ended, abandoned ones included. */
  readonly #tried = new Set<TierStore<TierName>>()

  constructor({ staging, transfers }: TierProbeOptions) {
    this.#staging = staging
    this.#transfers = transfers
  }

  /** Resolves when everything went well. Rejects with what is wrong, or with `DeadlineError`: then the trial still runs. */
  async probe(tier: TierStore<TierName>): Promise<void> {
    if (this.#tried.has(tier))
      throw new StorageIoError(`An earlier trial of the ${tier.name} tier hangs; no other begins before it has ended.`)
    await this.#transfers.run(`Trying the ${tier.name} tier`, () => this.#try(tier))
  }

  async #try(tier: TierStore<TierName>): Promise<void> {
    this.#tried.add(tier)
    try {
      await tier.probe()
      if (tier.isReadOnly) return
      const carry = tier.slots === undefined ? this.#inMemory : this.#onDisk
      await this.#staging.use(1, undefined, (staged) => carry.call(this, tier, staged))
    } finally {
      this.#tried.delete(tier)
    }
  }

  async #onDisk(tier: TierStore<TierName>, staged: MutableBlocks): Promise<void> {
    const { storage, trialOffset } = tier.slots!
    const { store } = this.#staging
    const [region, offset] = [store.storages[0]!.regionId, store.layout.offsetOf(staged.ids[0]!, 0, 0)]
    const { blockBytes } = tier
    const there = Float64Array.of(region, offset, storage.regionId, trialOffset, blockBytes)
    const back = Float64Array.of(storage.regionId, trialOffset, region, offset, blockBytes)
    await this.#carry(tier, staged, { there, back })
  }

  async #inMemory(tier: TierStore<TierName>, staged: MutableBlocks): Promise<void> {
    using block = tier.allocateUpTo(1)
    if (block.count === 0)
      throw new StorageIoError(`Every block of the ${tier.name} tier is held: none to try it with.`)
    using _pin = pinned(block)
    const ours = { layout: this.#staging.store.layout, ids: staged.ids }
    const { runs: there } = planCopy({ from: ours.layout, fromIds: ours.ids, to: tier.layout, toIds: block.ids })
    const { runs: back } = planCopy({ from: tier.layout, fromIds: block.ids, to: ours.layout, toIds: ours.ids })
    await this.#carry(tier, staged, { there, back })
  }

  async #carry(tier: TierStore<TierName>, staged: MutableBlocks, { there, back }: Trial): Promise<void> {
    using _pin = pinned(staged)
    const bytes = this.#viewOf(staged)
    const sent = randomBytes(bytes.length)
    bytes.set(sent)
    await this.#transfers.submit({ runs: there })
    bytes.fill(0)
    await this.#transfers.submit({ runs: back })
    if (!sent.equals(bytes))
      throw new StorageIoError(
        `The ${tier.name} tier gave back other bytes than a trial put there. It cannot be relied on.`,
      )
  }

  #viewOf({ ids }: MutableBlocks): Uint8Array {
    const { layout } = this.#staging.store
    layout.commit(ids)
    return layout.view(ids[0]!) as Uint8Array
  }
}
