import { TIER_NAMES, type TierName } from '@kvbm/core'
import type { Lease } from '@kvbm/manager'

/** Tokens by the tier they came from. */
export type TierTokens = Readonly<Record<TierName, number>>

export const NO_TOKENS: TierTokens = Object.freeze({ device: 0, host: 0, disk: 0 })

/** Neighbouring tokens that lie in one tier. */
export interface TierSpan {
  readonly tier: TierName
  readonly tokens: number
}

/** Where the first `tokens` of a lease lie. */
export function tierTokens(lease: Lease, tokens: number): TierTokens {
  const byTier = { device: 0, host: 0, disk: 0 }
  for (const span of tierSpans(lease, tokens)) byTier[span.tier] += span.tokens
  return byTier
}

/** The same in the order of the prompt. */
export function tierSpans({ runs, hashes }: Lease, tokens: number): TierSpan[] {
  const spans: TierSpan[] = []
  let left = tokens
  for (const { tier, blocks } of runs) {
    const here = Math.min(left, blocks.count * hashes.pageSize)
    if (here > 0) spans.push({ tier, tokens: here })
    left -= here
  }
  return spans
}

export function totalTokens(byTier: TierTokens): number {
  return TIER_NAMES.reduce((sum, tier) => sum + byTier[tier], 0)
}
