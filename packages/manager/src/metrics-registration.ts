import { ConfigError } from '@kvbm/core'
import type { Counter, Gauge, Registry } from 'prom-client'
import { METRICS, type MetricSpec } from './metrics.js'
import type { ManagerStatus } from './status.js'

/** What is shown of one manager. */
export interface MetricsSource {
  readonly workerId: number
  status(): ManagerStatus
}

/** Managers that report to one registry, told apart by `worker_id`, and the metrics that show them. */
interface Exposed {
  readonly sources: Map<number, MetricsSource>
  readonly metrics: Map<string, Counter | Gauge>
}

const exposedIn = new WeakMap<object, Exposed>()

/**
 * Shows `source` in the caller's prom-client registry. Returns how to take it out again. Loads prom-client on first use. Rejects
 * with `ConfigError`, and leaves the registry as it was, when the worker or one of the names is there already.
 */
export async function exposeMetrics(registry: object, source: MetricsSource): Promise<() => void> {
  const { Counter, Gauge } = await import('prom-client')
  const exposed = exposedIn.get(registry) ?? { sources: new Map(), metrics: new Map() }
  refuseTwins(exposed, source.workerId)
  const missing = METRICS.filter(({ name }) => isMissing(registry as Registry, exposed, name))
  exposedIn.set(registry, exposed)
  for (const spec of missing)
    exposed.metrics.set(
      spec.name,
      define(spec, registry as Registry, exposed.sources, spec.type === 'counter' ? Counter : Gauge),
    )
  exposed.sources.set(source.workerId, oncePerScrape(source))
  return () => void exposed.sources.delete(source.workerId)
}

function refuseTwins({ sources }: Exposed, workerId: number): void {
  if (!sources.has(workerId)) return
  throw new ConfigError([
    {
      path: 'runtime.workerId',
      value: workerId,
      rule: 'a number that no other manager of this metrics registry has',
      remedy: 'Give each manager its own workerId, or each its own registry.',
    },
  ])
}

/** Not there, or cleared away by the owner of the registry. Throws when the name is somebody else's. */
function isMissing(registry: Registry, { metrics }: Exposed, name: string): boolean {
  const found: unknown = registry.getSingleMetric(name)
  if (found === undefined) return true
  if (found === metrics.get(name)) return false
  throw new ConfigError([
    {
      path: 'runtime.metricsRegistry',
      value: name,
      rule: 'a registry without metrics of these names',
      remedy: 'Give the manager a registry of its own and merge the two with Registry.merge().',
    },
  ])
}

function define(
  spec: MetricSpec,
  registry: Registry,
  sources: ReadonlyMap<number, MetricsSource>,
  Metric: typeof Counter | typeof Gauge,
): Counter | Gauge {
  return new Metric({
    name: spec.name,
    help: spec.help,
    labelNames: ['worker_id', ...spec.labels],
    registers: [registry],
    collect(this: Counter | Gauge) {
      this.reset()
      for (const [workerId, source] of sources)
        for (const [labels, value] of spec.samples(source.status()))
          this.inc({ worker_id: String(workerId), ...labels }, value)
    },
  })
}

/** A scrape asks every metric in one turn: one status answers all. */
function oncePerScrape({ workerId, status }: MetricsSource): MetricsSource {
  let known: ManagerStatus | undefined
  const forget = (): void => {
    known = undefined
  }
  return {
    workerId,
    status(): ManagerStatus {
      if (known === undefined) queueMicrotask(forget)
      known ??= status()
      return known
    },
  }
}
