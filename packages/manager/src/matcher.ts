import type { BlockHashes, TierName } from '@kvbm/core'
import type { Counters } from './counters.js'
import { Lease, type LeaseRun } from './lease.js'
import type { TierStore } from './tier.js'

interface Span {
  readonly tier: number
  readonly from: number
  readonly to: number
}

/** Where each block of the longest cached prefix is fastest to reach, as runs of one tier. `tiers` are fastest first. */
function spansOf(tiers: readonly TierStore[], hashes: BlockHashes): Span[] {
  const presence = tiers.map((tier) => tier.pool.scan(hashes))
  const fastest = (index: number): number => presence.findIndex((present) => present[index] === 1)
  const spans: Span[] = []
  for (let from = 0, tier = fastest(0); from < hashes.count && tier >= 0; ) {
    let to = from + 1
    while (to < hashes.count && fastest(to) === tier) to++
    spans.push({ tier, from, to })
    from = to
    tier = from < hashes.count ? fastest(from) : -1
  }
  return spans
}

/** The longest prefix over all tiers, pinned. Synchronous, so nothing can be evicted between looking and pinning. */
export function matchTiers(tiers: readonly TierStore[], hashes: BlockHashes, counters: Counters): Lease {
  counters.requested += hashes.count
  const runs: LeaseRun[] = []
  let count = 0
  for (const span of hashes.count === 0 ? [] : spansOf(tiers, hashes)) {
    const tier = tiers[span.tier]!
    const blocks = tier.pool.match(hashes.subarray(span.from, span.to))
    const name = tier.name as TierName
    counters.matched[name] += blocks.count
    count += blocks.count
    runs.push({ tier: name, blocks })
  }
  return new Lease(hashes.subarray(0, count), runs)
}
