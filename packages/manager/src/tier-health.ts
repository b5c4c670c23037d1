import { KvbmError, type KvbmErrorCode, type Logger, type TierName } from '@kvbm/core'
import type { EventHub } from './event-hub.js'
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

/** Notes when reading or writing a tier fails and when it works again. A tier that failed goes on being tried. */
export class TierHealth {
  readonly #events: EventHub
  readonly #logger: Logger
  /** An error speaks of one tier: the innermost undertaking that it ended. */
  readonly #noted = new WeakSet<KvbmError>()

  constructor({ events, logger }: { readonly events: EventHub; readonly logger: Logger }) {
    this.#events = events
    this.#logger = logger
  }

  /** Runs `act`, which reads or writes the tier, and notes how it ended. */
  async during<T>({ tier, doing, signal }: Undertaking, act: () => Promise<T>): Promise<T> {
    try {
      const result = await act()
      this.#worked(tier, doing)
      return result
    } catch (error) {
      const isCallers = signal?.aborted === true && error === signal.reason
      if (!isCallers && isTierFailure(error) && !this.#noted.has(error)) this.#note(tier, doing, error)
      throw error
    }
  }

  #note(tier: TierStore, doing: Doing, error: KvbmError): void {
    this.#noted.add(error)
    this.failed(tier, doing, error)
  }

  failed(tier: TierStore, doing: Doing, error: unknown): void {
    tier.lastError = error instanceof Error ? error.message : String(error)
    const before = tier.state
    tier.failures.set(doing, tier.lastError)
    if (before !== 'degraded') this.#changed(tier)
  }

  #worked(tier: TierStore, doing: Doing): void {
    if (tier.failures.delete(doing) && tier.state === 'ok') this.#changed(tier)
  }

  #changed(tier: TierStore): void {
    if (!isTier(tier)) return
    const { name, state, reason } = tier
    this.#events.emit({ type: 'tier-state', tier: name, state, reason })
    if (state === 'ok') this.#logger.info(`The ${name} tier works again.`)
    else
      this.#logger.warn(
        `The ${name} tier is degraded (${reason}). It goes on being tried; its blocks are misses meanwhile.`,
      )
  }
}

/** Whether an error says that the tier failed, and not that the caller lost patience or the manager closed. */
export function isTierFailure(error: unknown): error is KvbmError {
  return KvbmError.is(error) && TIER_FAILURES.includes(error.code)
}

function isTier(tier: TierStore<StoreName>): tier is TierStore<TierName> {
  return tier.name !== 'staging'
}
