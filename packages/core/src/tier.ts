/** The tiers of one machine, fastest first. */
export type TierName = 'device' | 'host' | 'disk'

export const TIER_NAMES: readonly TierName[] = Object.freeze(['device', 'host', 'disk'])
