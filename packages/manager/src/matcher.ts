import type { BlockHashes, TierName } from '@kvbm/core'
import type { Counters } from './counters.js'
import { Lease, type LeaseRun } from './lease.js'
import type { TierStore } from './tier-store.js'

interface Span {
  readonly tier: TierStore<TierName>
  readonly from: number
  readonly to: number
}

/** Where each block of the longest cached prefix is fastest to reach, as runs of one tier. `tiers` are fastest first. */
function spansOf(tiers: readonly TierStore<TierName>[], hashes: BlockHashes): Span[] {
  const presence = tiers.map((tier) => tier.scan(hashes))
  const fastest = (index: number): number => presence.findIndex((present) => present[index] === 1)
  const spans: Span[] = []
  for (let from = 0, tier = fastest(0); tier >= 0; ) {
    let [to, next] = [from + 1, fastest(from + 1)]
    while (next === tier) next = fastest(++to)
    spans.push({ tier: tiers[tier]!, from, to })
    from = to
    tier = next
  }
  return spans
}

/**
 * The longest prefix over all tiers that can be read, pinned. Synchronous, so nothing can be evicted between looking and pinning.
 */
export function matchTiers(tiers: readonly TierStore<TierName>[], hashes: BlockHashes, counters: Counters): Lease {
  const readable = tiers.filter(({ isReadable }) => isReadable)
  const spans = spansOf(readable, hashes)
  const runs: LeaseRun[] = []
  let count = 0
  counters.requested += hashes.count
  for (const { tier, from, to } of spans) {
    const blocks = tier.match(hashes.subarray(from, to))
    counters.matched[tier.name] += blocks.count
    count += blocks.count
    runs.push({ tier: tier.name, blocks })
    if (blocks.count < to - from) break
  }
  return new Lease(hashes.subarray(0, count), runs)
}
