import { TIER_NAMES, type TierName } from '@kvbm/core'
import type { Lease } from '@kvbm/manager'

/** Tokens by the tier they came from. */
export type TierTokens = Readonly<Record<TierName, number>>

export const NO_TOKENS: TierTokens = Object.freeze({ device: 0, host: 0, disk: 0 })

/** Where the first `tokens` of a lease lie. */
export function tierTokens({ runs, hashes }: Lease, tokens: number): TierTokens {
  const byTier = { device: 0, host: 0, disk: 0 }
  let left = tokens
  for (const { tier, blocks } of runs) {
    const here = Math.min(left, blocks.count * hashes.pageSize)
    byTier[tier] += here
    left -= here
  }
  return byTier
}

export function totalTokens(byTier: TierTokens): number {
  return TIER_NAMES.reduce((sum, tier) => sum + byTier[tier], 0)
}
