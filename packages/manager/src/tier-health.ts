import { KvbmError, type KvbmErrorCode, type Logger, type TierName } from '@kvbm/core'
import type { EventHub } from './event-hub.js'
import type { TierRecovery } from './tier-recovery.js'
import type { Doing, StoreName, TierStore } from './tier-store.js'

/** Failures that say something about the tier, not about its caller. */
const TIER_FAILURES: readonly KvbmErrorCode[] = [
  'KVBM_STORAGE_IO',
  'KVBM_STORAGE_FULL',
  'KVBM_DEVICE_UNAVAILABLE',
  'KVBM_DEADLINE',
]

export interface Undertaking {
  readonly tier: TierStore
  readonly doing: Doing
  /** The caller's own; what it ends is no failure of the tier. */
  readonly signal?: AbortSignal | undefined
}

/** Who does not answer in time, or is gone, can do neither. A full disk, or one that takes no bytes, can still be read. */
const NEITHER: readonly KvbmErrorCode[] = ['KVBM_DEADLINE', 'KVBM_DEVICE_UNAVAILABLE']

/**
 * Notes when reading or writing a tier fails and when it works again, and tells status, events and log. What failed is probed until
 * it works; meanwhile `isReadable` and `isWritable` of the tier keep look-ups and background copies away from it.
 */
export class TierHealth {
  readonly #events: EventHub
  readonly #logger: Logger
  /** An error speaks of one tier: the innermost undertaking that it ended. */
  readonly #noted = new WeakSet<KvbmError>()
  #recovery: TierRecovery | undefined

  constructor({ events, logger }: { readonly events: EventHub; readonly logger: Logger }) {
    this.#events = events
    this.#logger = logger
  }

  /** From now on tiers that fail are probed by `recovery`. */
  recoverBy(recovery: TierRecovery): void {
    this.#recovery = recovery
  }

  /** Runs `act`, which reads or writes the tier, and notes how it ended. */
  async during<T>({ tier, doing, signal }: Undertaking, act: () => Promise<T>): Promise<T> {
    try {
      const result = await act()
      this.#did(tier, doing)
      return result
    } catch (error) {
      const isCallers = signal?.aborted === true && error === signal.reason
      if (!isCallers && isTierFailure(error) && !this.#noted.has(error)) this.#note(tier, doing, error)
      throw error
    }
  }

  /** Looks whether a disk tier is still where it was opened. Never rejects: what it finds stands in the tier's state afterwards. */
  async look(tier: TierStore<TierName>, closing: AbortSignal): Promise<void> {
    if (!tier.onDisk || !tier.isWritable) return
    await tier.expectInPlace().catch((error: unknown) => {
      if (!closing.aborted) this.failed(tier, 'writing', error)
    })
  }

  failed(tier: TierStore, doing: Doing, error: unknown): void {
    tier.lastError = error instanceof Error ? error.message : String(error)
    const before = tier.state
    const failed = doingsThatFailed(doing, error)
    for (const one of failed) tier.failures.set(one, tier.lastError)
    if (before !== 'degraded') this.#changed(tier)
    if (isTier(tier)) this.#recovery?.failed(tier, failed)
  }

  /** A probe showed that the tier does this again, which says nothing about the other. */
  works(tier: TierStore<TierName>, doing: Doing): void {
    this.#heal(tier, doing)
  }

  #note(tier: TierStore, doing: Doing, error: KvbmError): void {
    this.#noted.add(error)
    this.failed(tier, doing, error)
  }

  #did(tier: TierStore, doing: Doing): void {
    this.#heal(tier, doing)
    if (isTier(tier)) this.#recovery?.worked(tier, doing)
  }

  #heal(tier: TierStore, doing: Doing): void {
    if (!tier.failures.delete(doing) || tier.state !== 'ok') return
    tier.recoveries++
    this.#changed(tier)
  }

  #changed(tier: TierStore): void {
    if (!isTier(tier)) return
    const { name, state, reason } = tier
    this.#events.emit({ type: 'tier-state', tier: name, state, reason })
    if (state === 'ok') this.#logger.info(`The ${name} tier works again.`)
    else
      this.#logger.warn(`The ${name} tier is degraded (${reason}). ${consequence(tier)} It is tried again by itself.`)
  }
}

function doingsThatFailed(doing: Doing, error: unknown): readonly Doing[] {
  return KvbmError.is(error) && NEITHER.includes(error.code) ? ['reading', 'writing'] : [doing]
}

function consequence({ isReadable }: TierStore): string {
  return isReadable
    ? 'Nothing is copied to it meanwhile; what it holds is served.'
    : 'Its blocks are misses meanwhile, and nothing is copied to it.'
}

/** Whether an error says that the tier failed, and not that the caller lost patience or the manager closed. */
export function isTierFailure(error: unknown): error is KvbmError {
  return KvbmError.is(error) && TIER_FAILURES.includes(error.code)
}

function isTier(tier: TierStore<StoreName>): tier is TierStore<TierName> {
  return tier.name !== 'staging'
}
