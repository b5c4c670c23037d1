import { layoutKind, type StorageDescription, type TierName } from '@kvbm/core'
import type { Counters, DropReason, Edge } from './counters.js'
import type { RemoteStatus } from './remote.js'
import type { BlockCounts } from './tier-counts.js'
import type { TierRole, TierState, TierStore } from './tier-store.js'

/** One tier in `status()`: its state with reason, its blocks, and what its memory or file really is. */
export interface TierStatus {
  readonly state: TierState
  readonly reason: string
  readonly lastError: string
  /** Whether look-ups find its blocks, and whether blocks are copied to it. True while the state is ok, but for a reader's disk. */
  readonly isReadable: boolean
  readonly isWritable: boolean
  /** How often it was probed while degraded, and how often it began to work again, since the manager was made. */
  readonly probes: number
  readonly recoveries: number
  readonly blocks: BlockCounts
  /** Only of the disk tier: whether this process writes it or reads beside the one that does, and why. */
  readonly role?: TierRole
  /** Callers that wait for blocks. */
  readonly waiting: number
  readonly blockBytes: number
  readonly capacityBytes: number
  readonly usedBytes: number
  readonly layout: string
  /** Counters of the pool since the manager was made. */
  readonly pool: Readonly<Record<string, number>>
  /** What memory and files really got, and why not better. */
  readonly storages: readonly StorageDescription[]
  /** Slot records that were damaged when the disk was opened; they are free now. */
  readonly damagedAtOpen?: number
}

/** One edge in `status()`: what it has carried, what waits and runs, and what was dropped for which reason. */
export interface EdgeStatus {
  readonly blocks: number
  readonly bytes: number
  readonly transfers: number
  readonly seconds: number
  readonly queued: number
  readonly running: number
  readonly drops: Readonly<Record<DropReason, number>>
}

/** Plain JSON: what a person or a dashboard asks first. */
export interface ManagerStatus {
  readonly state: 'open' | 'closing' | 'closed'
  readonly workerId: number
  readonly modelId: string
  /** `native` or `portable`. */
  readonly binding: string
  readonly tiers: Partial<Record<TierName, TierStatus>>
  /** Configured tiers that could not be opened safely, and why. */
  readonly off: Partial<Record<TierName, string>>
  readonly edges: Partial<Record<Edge, EdgeStatus>>
  /** Blocks asked for by `match()`. */
  readonly requested: number
  readonly matched: Readonly<Record<TierName, number>>
  readonly corrupt: Readonly<Record<TierName, number>>
  readonly transfers: { readonly running: number; readonly queued: number; readonly abandoned: number }
  readonly nixl: RemoteStatus
  readonly settings: Readonly<Record<string, number | boolean>>
}

export function tierStatus(tier: TierStore<TierName>): TierStatus {
  const { pool, blockBytes, layout } = tier
  const { total, inactive, held } = tier.counts
  return {
    state: tier.state,
    reason: tier.reason,
    lastError: tier.lastError,
    isReadable: tier.isReadable,
    isWritable: tier.isWritable,
    probes: tier.probes,
    recoveries: tier.recoveries,
    blocks: tier.counts,
    ...(tier.role === undefined ? {} : { role: tier.role }),
    waiting: pool.waiting,
    blockBytes,
    capacityBytes: total * blockBytes,
    usedBytes: (inactive + held) * blockBytes,
    layout: layoutKind(layout.type),
    pool: { ...pool.stats() },
    storages: tier.slots === undefined ? tier.storages.map((storage) => storage.describe()) : [tier.slots.describe()],
    ...(tier.slots === undefined ? {} : { damagedAtOpen: tier.slots.recovered.damaged }),
  }
}

interface Feeder {
  readonly edge: { readonly from: TierName; readonly to: TierName }
  readonly queued: number
  readonly running: number
}

/** Counters of the edges, beside the queues that feed them. */
export function edgeStatuses(counters: Counters, queues: readonly Feeder[]): Partial<Record<Edge, EdgeStatus>> {
  const result: Partial<Record<Edge, EdgeStatus>> = {}
  for (const { edge } of queues) counters.edge(edge.from, edge.to)
  for (const [name, { drops, ...counts }] of counters.edges) {
    const feeder = queues.find(({ edge }) => `${edge.from}-${edge.to}` === name)
    result[name] = { ...counts, queued: feeder?.queued ?? 0, running: feeder?.running ?? 0, drops: { ...drops } }
  }
  return result
}
