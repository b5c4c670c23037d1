import { TIER_NAMES, type TierName } from '@kvbm/core'
import type { Served } from './stand-in-engine.js'

/** The sum of what all requests got. */
export class Tally {
  requests = 0
  seen = 0
  hit = 0
  /** What a cache without limits would have hit. */
  infiniteHit = 0
  stored = 0
  verified = 0
  wrong = 0
  readonly byTier: Record<TierName, number> = { device: 0, host: 0, disk: 0 }
  readonly #everSeen = new Set<number>()

  add(served: Served, hashIds: readonly number[]): void {
    this.requests++
    for (const field of ['seen', 'hit', 'stored', 'verified', 'wrong'] as const) this[field] += served[field]
    for (const tier of TIER_NAMES) this.byTier[tier] += served.byTier[tier]
    const firstNew = hashIds.findIndex((id) => !this.#everSeen.has(id))
    this.infiniteHit += firstNew < 0 ? hashIds.length : firstNew
    for (const id of hashIds) this.#everSeen.add(id)
  }
}
