import type { TierName } from '@kvbm/core'
import type { Counter, Gauge, Registry } from 'prom-client'
import type { ManagerStatus } from './status.js'

interface Source {
  status(): ManagerStatus
}

type Labels = Record<string, string>
type Sample = readonly [labels: Labels, value: number]

interface MetricSpec {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly labels: readonly string[]
  readonly samples: (status: ManagerStatus) => readonly Sample[]
}

const perTier = (
  status: ManagerStatus,
  value: (tier: NonNullable<ManagerStatus['tiers'][TierName]>, name: TierName) => number,
): Sample[] => Object.entries(status.tiers).map(([name, tier]) => [{ tier: name }, value(tier, name as TierName)])

const perEdge = (
  status: ManagerStatus,
  value: (edge: NonNullable<ManagerStatus['edges']['device-host']>) => number,
): Sample[] =>
  Object.entries(status.edges).map(([name, edge]) => {
    const [src = '', dst = ''] = name.split('-')
    return [{ src, dst }, value(edge)]
  })

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
    samples: (s) => perTier(s, (t) => Number(t.state === 'ok')),
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
    samples: (s) => perTier(s, (t) => t.pool['evictions'] ?? 0),
  },
  {
    name: 'kvbm_registrations_total',
    help: 'Blocks that became matchable',
    type: 'counter',
    labels: ['tier'],
    samples: (s) => perTier(s, (t) => t.pool['registrations'] ?? 0),
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
      Object.entries(status.edges).flatMap(([name, edge]) => {
        const [src = '', dst = ''] = name.split('-')
        return Object.entries(edge.drops).map(([reason, count]): Sample => [{ src, dst, reason }, count])
      }),
  },
  {
    name: 'kvbm_abandoned_transfers_total',
    help: 'Copies given up on while still running',
    type: 'counter',
    labels: [],
    samples: (s) => [[{}, s.transfers.abandoned]],
  },
]

/** Managers that report to one registry; they are told apart by `worker_id`. */
const sourcesOf = new WeakMap<object, Set<Source>>()

/** Shows `source` in the caller's prom-client registry. Returns how to take it out again. Loads prom-client on first use. */
export async function exposeMetrics(registry: object, source: Source): Promise<() => void> {
  const { Counter, Gauge } = await import('prom-client')
  let sources = sourcesOf.get(registry)
  if (sources === undefined) {
    sources = new Set()
    sourcesOf.set(registry, sources)
    for (const spec of METRICS) define(spec, registry as Registry, sources, spec.type === 'counter' ? Counter : Gauge)
  }
  const known = sources
  known.add(source)
  return () => void known.delete(source)
}

function define(
  spec: MetricSpec,
  registry: Registry,
  sources: ReadonlySet<Source>,
  Metric: typeof Counter | typeof Gauge,
): void {
  new Metric({
    name: spec.name,
    help: spec.help,
    labelNames: ['worker_id', ...spec.labels],
    registers: [registry],
    collect(this: Counter | Gauge) {
      this.reset()
      for (const source of sources) {
        const status = source.status()
        for (const [labels, value] of spec.samples(status))
          this.inc({ worker_id: String(status.workerId), ...labels }, value)
      }
    },
  })
}
