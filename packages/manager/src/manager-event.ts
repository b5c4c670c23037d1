import type { BlockEvent, PackedHashes, TierName } from '@kvbm/core'

/** A block whose bytes did not fit its checksum: it was taken out of the tier and never served. */
export interface BlocksCorrupt {
  readonly type: 'corrupt'
  readonly tier: TierName
  readonly hashes: PackedHashes
}

/** A tier got better or worse. */
export interface TierStateChanged {
  readonly type: 'tier-state'
  readonly tier: TierName
  readonly state: 'ok' | 'degraded' | 'off'
  readonly reason: string
}

/** From now on this process writes a disk tier that it read beside another one. */
export interface TierRoleChanged {
  readonly type: 'tier-role'
  readonly tier: 'disk'
  readonly role: 'writer'
  readonly reason: string
}

/** This reader was too slow: so many events before the next one were dropped. Read `status()` or match again to resync. */
export interface EventsMissed {
  readonly type: 'missed'
  readonly count: number
}

type Numbered<E> = E extends unknown
  ? E & {
      /** Ascending without gaps over all tiers; `missed` has the number of the event that follows it. */
      readonly sequence: number
    }
  : never

/** What a manager tells: block events, damage, states of tiers and gaps, numbered in one sequence. */
export type ManagerEvent = Numbered<BlockEvent | BlocksCorrupt | TierStateChanged | TierRoleChanged | EventsMissed>

/** Called in the same turn as the event; it must return quickly. What it throws, or rejects with, is logged. */
export type ManagerEventListener = (event: ManagerEvent) => void
