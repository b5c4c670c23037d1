import type { KvCacheStatus } from '@kvbm/connector'
import type { TierName } from '@kvbm/core'

/** Plain JSON: what the page draws of the tiers, and what the guided scene waits for. */
export interface LiveTiers {
  readonly tiers: readonly {
    readonly name: TierName
    readonly state: string
    readonly blocks: number
    readonly usedBytes: number
    readonly capacityBytes: number
    readonly evictions: number
  }[]
  readonly edges: readonly { readonly name: string; readonly blocks: number; readonly bytes: number }[]
  /** Blocks asked for, and found. */
  readonly requested: number
  readonly matched: number
  /** Blocks are still on their way out of the engine, or to disk. */
  readonly isBusy: boolean
}

/** The tiers of the only model that the demo serves. */
export function liveTiers({ models: [model] }: KvCacheStatus): LiveTiers {
  const manager = model?.manager
  if (manager === undefined) return { tiers: [], edges: [], requested: 0, matched: 0, isBusy: (model?.users ?? 0) > 0 }
  const tiers = Object.entries(manager.tiers).map(([name, tier]) => ({
    name: name as TierName,
    state: tier.state,
    blocks: tier.blocks.inactive + tier.blocks.held,
    usedBytes: tier.usedBytes,
    capacityBytes: tier.capacityBytes,
    evictions: tier.pool.evictions ?? 0,
  }))
  const edges = Object.entries(manager.edges)
  return {
    tiers,
    edges: edges.map(([name, { blocks, bytes }]) => ({ name, blocks, bytes })),
    requested: manager.requested,
    matched: Object.values(manager.matched).reduce((sum, count) => sum + count, 0),
    isBusy: model!.users > 0 || edges.some(([, { queued, running }]) => queued + running > 0),
  }
}
