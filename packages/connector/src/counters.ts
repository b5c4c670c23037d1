import type { TierName } from '@kvbm/core'
import type { CaptureSkip } from './capture-scheduler.js'
import type { DeclineReason } from './engine-driver.js'
import type { LoadReason } from './load-policy.js'
import type { TierTokens } from './tier-tokens.js'

/** Everything the connectors of one cache count, as plain numbers that only grow. */
export class ConnectorCounters {
  /** Sessions opened, and tokens of their prompts. */
  requests = 0
  requestedTokens = 0
  /** Tokens put into engines, by the tier they came from. */
  readonly hitTokens: Record<TierName, number> = { device: 0, host: 0, disk: 0 }
  /** Prefill that was spared, in milliseconds, the restore deducted. */
  savedMs = 0
  restoreMs = 0
  /** Restores that put something into an engine, and those that were tried and gave nothing. */
  restores = 0
  restoresFailed = 0
  captures = 0
  capturedBlocks = 0
  /** How long engines could not decode because of captures, in milliseconds, and what they saved meanwhile. */
  stallMs = 0
  savedBytes = 0
  readonly decisions: Partial<Record<LoadReason, number>> = {}
  readonly skips: Partial<Record<CaptureSkip, number>> = {}
  readonly declines: Partial<Record<DeclineReason, number>> = {}

  hit(byTier: TierTokens, ms: number): void {
    this.restores++
    this.restoreMs += ms
    for (const tier of ['device', 'host', 'disk'] as const) this.hitTokens[tier] += byTier[tier]
  }

  decided(reason: LoadReason): void {
    this.decisions[reason] = (this.decisions[reason] ?? 0) + 1
  }

  skipped(reason: CaptureSkip): void {
    this.skips[reason] = (this.skips[reason] ?? 0) + 1
  }

  declined(reason: DeclineReason): void {
    this.declines[reason] = (this.declines[reason] ?? 0) + 1
  }
}

/** The counters as plain JSON. */
export type CounterValues = Readonly<Omit<ConnectorCounters, 'hit' | 'decided' | 'skipped' | 'declined'>>

export function counterValues(counters: ConnectorCounters): CounterValues {
  const { hitTokens, decisions, skips, declines, ...numbers } = counters
  return {
    ...numbers,
    hitTokens: { ...hitTokens },
    decisions: { ...decisions },
    skips: { ...skips },
    declines: { ...declines },
  }
}
