import type { MetricsRegistry } from '@kvbm/core'
import type { ConnectorCounters } from './counters.js'

interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

interface MetricSpec {
  readonly name: string
  readonly help: string
  readonly samples: (counters: ConnectorCounters) => readonly Sample[]
}

const one = (value: number): Sample[] => [{ labels: {}, value }]
const by = (label: string, values: Readonly<Record<string, number>>): Sample[] =>
  Object.entries(values).map(([key, value]) => ({ labels: { [label]: key }, value }))

/** Every metric of the connector; the README lists them. All are counters. */
const CONNECTOR_METRICS: readonly MetricSpec[] = [
  { name: 'kvbm_requests_total', help: 'Requests that asked the cache', samples: (c) => one(c.requests) },
  { name: 'kvbm_requested_tokens_total', help: 'Tokens of their prompts', samples: (c) => one(c.requestedTokens) },
  {
    name: 'kvbm_hit_tokens_total',
    help: 'Prompt tokens put into the engine instead of computed, by the tier they came from',
    samples: (c) => by('tier', c.hitTokens),
  },
  {
    name: 'kvbm_saved_prefill_seconds_total',
    help: 'Prefill spared, by what was learned of its speed, restores deducted',
    samples: (c) => one(c.savedMs / 1000),
  },
  { name: 'kvbm_restores_total', help: 'Restores that put blocks into an engine', samples: (c) => one(c.restores) },
  { name: 'kvbm_restores_failed_total', help: 'Restores that gave nothing', samples: (c) => one(c.restoresFailed) },
  { name: 'kvbm_restore_seconds_total', help: 'Time of restores', samples: (c) => one(c.restoreMs / 1000) },
  {
    name: 'kvbm_load_decisions_total',
    help: 'Whether cached blocks were loaded or computed again, by reason',
    samples: (c) => by('reason', c.decisions),
  },
  { name: 'kvbm_captures_total', help: 'Captures that ran', samples: (c) => one(c.captures) },
  { name: 'kvbm_captured_blocks_total', help: 'Blocks stored by captures', samples: (c) => one(c.capturedBlocks) },
  {
    name: 'kvbm_capture_stall_seconds_total',
    help: 'Time in which engines could not decode because of captures',
    samples: (c) => one(c.stallMs / 1000),
  },
  {
    name: 'kvbm_captures_skipped_total',
    help: 'Captures that did not run or stored nothing, by reason',
    samples: (c) => by('reason', c.skips),
  },
  {
    name: 'kvbm_declined_total',
    help: 'Requests whose engine state cannot be cut into blocks, by reason',
    samples: (c) => by('reason', c.declines),
  },
]

/** Caches that report to one registry: their counts are added up. */
const sourcesOf = new WeakMap<object, Set<ConnectorCounters>>()

/** Shows the counters in the caller's prom-client registry. Returns how to take them out again. Throws what the registry throws. */
export function exposeCounters(registry: MetricsRegistry, counters: ConnectorCounters): () => void {
  let sources = sourcesOf.get(registry)
  if (sources === undefined) {
    sources = new Set()
    sourcesOf.set(registry, sources)
    const known = sources
    for (const spec of CONNECTOR_METRICS) registry.registerMetric(metricOf(spec, known) as never)
  }
  const known = sources
  known.add(counters)
  return () => void known.delete(counters)
}

/** What a registry asks of a metric; an object of our own spares users a second copy of the library. */
function metricOf({ name, help, samples }: MetricSpec, sources: ReadonlySet<ConnectorCounters>) {
  return {
    name,
    help,
    type: 'counter',
    aggregator: 'sum',
    reset: () => {},
    get: async () => ({ name, help, type: 'counter', aggregator: 'sum', values: added(sources, samples) }),
  }
}

function added(sources: ReadonlySet<ConnectorCounters>, samples: MetricSpec['samples']): Sample[] {
  const sums = new Map<string, Sample>()
  for (const source of sources)
    for (const { labels, value } of samples(source)) {
      const key = JSON.stringify(labels)
      sums.set(key, { labels, value: value + (sums.get(key)?.value ?? 0) })
    }
  return [...sums.values()]
}
