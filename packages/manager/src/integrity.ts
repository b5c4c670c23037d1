import type { BlockHashes, Logger, TierName, TransferJob } from '@kvbm/core'
import { type Layout, planPieces } from '@kvbm/layout'
import type { Counters } from './counters.js'
import type { EventHub } from './event-hub.js'
import type { TierHealth } from './tier-health.js'
import type { TierStore } from './tier-store.js'
import type { Transfers } from './transfers.js'

export interface IntegrityOptions {
  readonly isEnabled: boolean
  readonly counters: Counters
  readonly events: EventHub
  readonly logger: Logger
  readonly health: TierHealth
  readonly transfers: Transfers
}

/**
 * One CRC32C per block over its canonical bytes: taken when the block leaves its first tier, compared whenever it comes back.
 * A block whose bytes do not fit is a miss: taken out of use, counted, announced, never served and never an exception.
 */
export class Integrity {
  readonly isEnabled: boolean
  readonly #options: IntegrityOptions

  constructor(options: IntegrityOptions) {
    this.isEnabled = options.isEnabled
    this.#options = options
  }

  /** How many blocks, from the first on, are what is known about them. Remembers the sums of those nothing is known about. */
  soundPrefix(tier: TierStore<TierName>, ids: Uint32Array, hashes: BlockHashes, sums: Uint32Array): number {
    let sound = ids.length
    for (let index = ids.length - 1; index >= 0; index--)
      if (!this.#isSound(tier, ids[index]!, hashes.subarray(index, index + 1), sums[index]!)) sound = index
    return sound
  }

  #isSound(tier: TierStore<TierName>, id: number, hash: BlockHashes, sum: number): boolean {
    if (tier.isDamaged(id)) return false
    const known = tier.checksumOf(id)
    if (known === undefined) tier.recordChecksum(id, sum)
    else if (known !== sum) this.quarantine(tier, id, hash)
    return known === undefined || known === sum
  }

  /** Takes a block out of use whose bytes do not fit; `hash` is its name, where it is known. */
  quarantine(tier: TierStore<TierName>, id: number, hash?: BlockHashes): void {
    const { counters, events, logger, health, transfers } = this.#options
    tier.markDamaged(id)
    counters.corrupt[tier.name]++
    tier.takeOut(id)
    logger.warn(`A damaged block in the ${tier.name} tier was taken out of use: ${hash?.hex(0) ?? `number ${id}`}.`)
    if (hash !== undefined) events.emit({ type: 'corrupt', tier: tier.name, hashes: hash })
    if (tier.slots === undefined) return
    const gone = transfers.track(tier.slots.invalidate(Uint32Array.of(id)))
    gone.catch((error: unknown) => health.failed(tier, 'writing', error))
  }
}

export interface Sums {
  /** For the job. */
  readonly sums: NonNullable<TransferJob['sums']>
  /** One per block, once the job has ended. */
  readonly into: Uint32Array
}

/** A job's order to sum blocks where they are in memory. */
export function sumsOf(layout: Layout, ids: Uint32Array, when: 'before' | 'after'): Sums {
  const into = new Uint32Array(ids.length)
  return { sums: { pieces: planPieces(layout, ids), into, when }, into }
}
