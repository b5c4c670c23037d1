import type { TierName } from '@kvbm/core'
import type { EdgeStatus, ManagerStatus, TierStatus } from './status.js'

type Labels = Readonly<Record<string, string>>
type Sample = readonly [labels: Labels, value: number]

/** One metric and where its numbers come from. */
export interface MetricSpec {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly labels: readonly string[]
  readonly samples: (status: ManagerStatus) => readonly Sample[]
}

function perTier(status: ManagerStatus, value: (tier: TierStatus, name: TierName) => number): Sample[] {
  return Object.entries(status.tiers).map(([name, tier]) => [{ tier: name }, value(tier, name as TierName)])
}

function perEdge(status: ManagerStatus, value: (edge: EdgeStatus) => number): Sample[] {
  return Object.entries(status.edges).map(([name, edge]) => [endsOf(name), value(edge)])
}

function endsOf(edge: string): { readonly src: string; readonly dst: string } {
  const [src = '', dst = ''] = edge.split('-')
  return { src, dst }
}

/** Every metric of the manager; docs/metrics.md is checked against this table. */
export const METRICS: readonly MetricSpec[] = [
  {
    name: 'kvbm_blocks',
    help: 'Blocks of a tier by state (free, inactive, held, quarantined)',
    type: 'gauge',
    labels: ['tier', 'state'],
    samples: (status) =>
      Object.entries(status.tiers).flatMap(([tier, { blocks }]) =>
        (['free', 'inactive', 'held', 'quarantined'] as const).map((state): Sample => [{ tier, state }, blocks[state]]),
      ),
  },
  {
    name: 'kvbm_used_bytes',
    help: 'Bytes of cached blocks of a tier',
    type: 'gauge',
    labels: ['tier'],
    samples: (s) => perTier(s, (t) => t.usedBytes),
  },
  {
    name: 'kvbm_capacity_bytes',
    help: 'Bytes a tier can hold',
    type: 'gauge',
    labels: ['tier'],
    samples: (s) => perTier(s, (t) => t.capacityBytes),
  },
  {
    name: 'kvbm_tier_up',
    help: '1 while a tier works, 0 while it is degraded or off',
    type: 'gauge',
    labels: ['tier'],
    samples: (s) => [
      ...perTier(s, (t) => Number(t.state === 'ok')),
      ...Object.keys(s.off).map((tier): Sample => [{ tier }, 0]),
    ],
  },
  {
    name: 'kvbm_tier_usable',
    help: '1 while look-ups find blocks of a tier (reading), and while blocks are copied to it (writing)',
    type: 'gauge',
    labels: ['tier', 'doing'],
    samples: ({ tiers }) =>
      Object.entries(tiers).flatMap(([tier, { isReadable, isWritable }]): Sample[] => [
        [{ tier, doing: 'reading' }, Number(isReadable)],
        [{ tier, doing: 'writing' }, Number(isWritable)],
      ]),
  },
  {
    name: 'kvbm_tier_probes_total',
    help: 'Probes of a tier that failed',
    type: 'counter',
    labels: ['tier'],
    samples: (s) => perTier(s, (t) => t.probes),
  },
  {
    name: 'kvbm_tier_recoveries_total',
    help: 'Times a tier that failed began to work again',
    type: 'counter',
    labels: ['tier'],
    samples: (s) => perTier(s, (t) => t.recoveries),
  },
  {
    name: 'kvbm_tier_writer',
    help: '1 while this process writes a disk tier, 0 while it reads beside the one that does',
    type: 'gauge',
    labels: ['tier'],
    samples: ({ tiers }) =>
      Object.entries(tiers).flatMap(([tier, { role }]): Sample[] =>
        role === undefined ? [] : [[{ tier }, Number(role.role === 'writer')]],
      ),
  },
  {
    name: 'kvbm_requested_blocks_total',
    help: 'Blocks looked up by match()',
    type: 'counter',
    labels: [],
    samples: (s) => [[{}, s.requested]],
  },
  {
    name: 'kvbm_matched_blocks_total',
    help: 'Blocks found by match(), by the tier that gave them',
    type: 'counter',
    labels: ['tier'],
    samples: (s) => perTier(s, (_, name) => s.matched[name]),
  },
  {
    name: 'kvbm_corrupt_blocks_total',
    help: 'Blocks whose checksum did not fit: taken out of use, never served',
    type: 'counter',
    labels: ['tier'],
    samples: (s) => perTier(s, (_, name) => s.corrupt[name]),
  },
  {
    name: 'kvbm_evictions_total',
    help: 'Cached blocks evicted to make room',
    type: 'counter',
    labels: ['tier'],
    samples: (s) => perTier(s, (t) => t.pool.evictions ?? 0),
  },
  {
    name: 'kvbm_registrations_total',
    help: 'Blocks that became matchable',
    type: 'counter',
    labels: ['tier'],
    samples: (s) => perTier(s, (t) => t.pool.registrations ?? 0),
  },
  {
    name: 'kvbm_transferred_blocks_total',
    help: 'Blocks copied, verified and registered from src to dst',
    type: 'counter',
    labels: ['src', 'dst'],
    samples: (s) => perEdge(s, (e) => e.blocks),
  },
  {
    name: 'kvbm_transferred_bytes_total',
    help: 'Bytes copied from src to dst',
    type: 'counter',
    labels: ['src', 'dst'],
    samples: (s) => perEdge(s, (e) => e.bytes),
  },
  {
    name: 'kvbm_transfer_seconds_total',
    help: 'Seconds spent in copies from src to dst',
    type: 'counter',
    labels: ['src', 'dst'],
    samples: (s) => perEdge(s, (e) => e.seconds),
  },
  {
    name: 'kvbm_transfers_total',
    help: 'Copy jobs from src to dst',
    type: 'counter',
    labels: ['src', 'dst'],
    samples: (s) => perEdge(s, (e) => e.transfers),
  },
  {
    name: 'kvbm_offload_queue_blocks',
    help: 'Blocks waiting for background offload',
    type: 'gauge',
    labels: ['src', 'dst'],
    samples: (s) => perEdge(s, (e) => e.queued),
  },
  {
    name: 'kvbm_dropped_blocks_total',
    help: 'Blocks that were not offloaded, by reason',
    type: 'counter',
    labels: ['src', 'dst', 'reason'],
    samples: (status) =>
      Object.entries(status.edges).flatMap(([name, edge]) =>
        Object.entries(edge.drops).map(([reason, count]): Sample => [{ ...endsOf(name), reason }, count]),
      ),
  },
  {
    name: 'kvbm_abandoned_transfers_total',
    help: 'Copies given up on while still running',
    type: 'counter',
    labels: [],
    samples: (s) => [[{}, s.transfers.abandoned]],
  },
]
