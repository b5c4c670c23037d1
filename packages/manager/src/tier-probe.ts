import { randomBytes } from 'node:crypto'
import { StorageIoError, type TierName } from '@kvbm/core'
import { planCopy } from '@kvbm/layout'
import type { MutableBlocks } from '@kvbm/pool'
import { type Integrity, sumsOf } from './integrity.js'
import { pinned } from './pinned.js'
import type { Staging } from './staging.js'
import type { Doing, TierStore } from './tier-store.js'
import type { Transfers } from './transfers.js'

export interface TierProbeOptions {
  readonly staging: Staging
  readonly transfers: Transfers
  readonly integrity: Integrity
}

type Tier = TierStore<TierName>

/** Copies of one block's bytes from staging to the tier, and back. */
interface Trial {
  readonly there: Float64Array
  readonly back: Float64Array
}

/**
 * Tries with real work whether a tier reads or writes again. Reading: on disk a block comes back as its record says, where there is one.
 * Writing: bytes go from staging to a block that nobody holds, chosen as for a new one, and come back; so it asks for room just
 * where a new block does, and at most one cached block goes for it. Memory has no more to say about reading than that.
 */
export class TierProbe {
  readonly #options: TierProbeOptions
  /** Tiers whose trials have not ended, abandoned ones included. */
  readonly #tried = { reading: new Set<Tier>(), writing: new Set<Tier>() }

  constructor(options: TierProbeOptions) {
    this.#options = options
  }

  /** Resolves when it went well. Rejects with what is wrong, or with `DeadlineError`: then the trial still runs. */
  async probe(tier: Tier, doing: Doing): Promise<void> {
    if (this.#tried[doing].has(tier))
      throw new StorageIoError(
        `An earlier trial of ${doing} the ${tier.name} tier hangs; no other begins before it has ended.`,
      )
    await this.#options.transfers.run(`Trying the ${tier.name} tier`, () => this.#try(tier, doing))
  }

  async #try(tier: Tier, doing: Doing): Promise<void> {
    this.#tried[doing].add(tier)
    try {
      if (doing === 'reading' && tier.onDisk) await this.#read(tier)
      else await this.#write(tier)
    } finally {
      this.#tried[doing].delete(tier)
    }
  }

  async #read(tier: Tier): Promise<void> {
    await tier.probeReading()
    const id = tier.isReadOnly ? undefined : tier.anyKnown()
    if (id !== undefined) await this.#options.staging.use(1, undefined, (staged) => this.#compare(tier, id, staged))
  }

  /** Nobody holds the block, so it may be written meanwhile: then its bytes say nothing, but they came. */
  async #compare(tier: Tier, id: number, staged: MutableBlocks): Promise<void> {
    using _pin = pinned(staged)
    const { staging, transfers, integrity } = this.#options
    const known = tier.checksumOf(id)
    const { layout } = staging.store
    const { runs } = planCopy({ from: tier.layout, fromIds: Uint32Array.of(id), to: layout, toIds: staged.ids })
    const { sums, into } = sumsOf(layout, staged.ids, 'after')
    await transfers.submit({ runs, sums })
    if (into[0] === known || tier.checksumOf(id) !== known) return
    integrity.quarantine(tier, id)
    throw new StorageIoError(`Block ${id} of the ${tier.name} tier came back other than its record says.`)
  }

  async #write(tier: Tier): Promise<void> {
    if (tier.isReadOnly) return
    await tier.probeWriting()
    using block = tier.allocateUpTo(1)
    if (block.count === 0)
      throw new StorageIoError(`Every block of the ${tier.name} tier is held: none to try it with.`)
    using _pin = pinned(block)
    await tier.prepare(block.ids)
    await this.#options.staging.use(1, undefined, (staged) => this.#thereAndBack(tier, block, staged))
  }

  async #thereAndBack(tier: Tier, block: MutableBlocks, staged: MutableBlocks): Promise<void> {
    const ours = { layout: this.#options.staging.store.layout, ids: staged.ids }
    const { runs: there } = planCopy({ from: ours.layout, fromIds: ours.ids, to: tier.layout, toIds: block.ids })
    const { runs: back } = planCopy({ from: tier.layout, fromIds: block.ids, to: ours.layout, toIds: ours.ids })
    await this.#carry(tier, staged, { there, back })
  }

  async #carry(tier: Tier, staged: MutableBlocks, { there, back }: Trial): Promise<void> {
    using _pin = pinned(staged)
    const bytes = this.#viewOf(staged)
    const sent = randomBytes(bytes.length)
    bytes.set(sent)
    await this.#options.transfers.submit({ runs: there })
    bytes.fill(0)
    await this.#options.transfers.submit({ runs: back })
    if (!sent.equals(bytes))
      throw new StorageIoError(
        `The ${tier.name} tier gave back other bytes than a trial put there. It cannot be relied on.`,
      )
  }

  #viewOf({ ids }: MutableBlocks): Uint8Array {
    const { layout } = this.#options.staging.store
    layout.commit(ids)
    return layout.view(ids[0]!) as Uint8Array
  }
}
