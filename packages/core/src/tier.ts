/** The tiers of one machine, fastest first. */
export type TierName = 'device' | 'host' | 'disk'

/** All tiers, fastest first: the order in which matching walks them and offload goes down. */
export const TIER_NAMES: readonly TierName[] = Object.freeze(['device', 'host', 'disk'])
