import type { BlockHashes, PackedHashes } from './block-hashes.js'
import type { TierName } from './tier.js'

/** Blocks became matchable in a tier: consecutive blocks of one chain; `hashes` knows its parent and position. */
export interface BlocksStored {
  readonly type: 'stored'
  readonly tier: TierName | undefined
  readonly hashes: BlockHashes
}

/** Why blocks stopped being matchable: for room, because they are damaged or unwanted, or by `reset`. */
export type RemovalReason = 'evicted' | 'discarded' | 'reset'

/** Blocks stopped being matchable in a tier, in the order in which they went. */
export interface BlocksRemoved {
  readonly type: 'removed'
  readonly tier: TierName | undefined
  readonly hashes: PackedHashes
  readonly reason: RemovalReason
}

/** What happens to named blocks. Events stand for content: copies of one block in two tiers are two `stored`. */
export type BlockEvent = BlocksStored | BlocksRemoved

/**
 * Port: receives block events. Order: per tier, events arrive in the order in which they happened; a `removed` never
 * precedes its `stored`; within one `stored` parents stand before children. `publish` must return quickly and not throw.
 */
export interface EventManager {
  publish(event: BlockEvent): void
  /** True while nobody would see an event: those that would only say what can be asked for anyway need not be made. */
  isIdle?(): boolean
}
