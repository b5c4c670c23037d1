import type { HashAlgorithm, TierName } from '@kvbm/core'
import type { PoolCounters } from './pool-counters.js'

/** Counters of a pool: blocks, calls and handles since it was made. */
export type PoolStats = Readonly<PoolCounters>

/** What a handle says about its pool. Every block is in exactly one of free, inactive, held and quarantined. */
export interface PoolFacts {
  readonly tier: TierName | undefined
  readonly pageSize: number
  readonly hashAlgorithm: HashAlgorithm
  /** Blocks of the pool. */
  readonly total: number
  /** Blocks without name and holder. */
  readonly free: number
  /** Cached blocks that nobody holds: they can be found, and are evicted when room is needed. */
  readonly inactive: number
  /** Blocks that a handle holds, or that lead to one: a held block keeps its prefix. */
  readonly held: number
  /** Blocks taken out of use by `discard`. */
  readonly quarantined: number
  /** What `allocate` could hand out: free + inactive. */
  readonly available: number
  stats(): PoolStats
}
