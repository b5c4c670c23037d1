import type { PromptReady } from '@kvbm/connector'
import type { MetricsRegistry } from '@kvbm/core'
import type { Counter, Histogram, Registry } from 'prom-client'

const TTFT_BUCKETS_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** What a server counts. */
export interface ServerMetrics {
  request(route: string, status: number): void
  prompt(model: string, prompt: PromptReady, ttftSeconds: number): void
  /** Takes the metrics out of the registry when no other server counts there. Idempotent. */
  close(): void
}

interface Instruments {
  readonly requests: Counter
  readonly ttft: Histogram
  readonly promptTokens: Counter
  readonly saved: Counter
}

/** The instruments in a registry, and the servers that count with them: their counts are added up. */
const sharedIn = new WeakMap<object, { readonly instruments: Instruments; readonly servers: Set<object> }>()

/** Counters of requests and prompts, and time to first token, in the caller's prom-client registry; prom-client is loaded only then. */
export async function serverMetrics(registry: MetricsRegistry | undefined): Promise<ServerMetrics> {
  if (registry === undefined) return { request: () => {}, prompt: () => {}, close: () => {} }
  const library = await import('prom-client')
  const shared = sharedIn.get(registry) ?? { instruments: makeInstruments(library, registry), servers: new Set() }
  sharedIn.set(registry, shared)
  const metrics = countingWith(shared.instruments, () => {
    if (shared.servers.delete(metrics) && shared.servers.size === 0) removeInstruments(shared.instruments, registry)
  })
  shared.servers.add(metrics)
  return metrics
}

function makeInstruments({ Counter, Histogram }: typeof import('prom-client'), registry: MetricsRegistry): Instruments {
  const registers = [registry as unknown as Registry]
  return {
    requests: new Counter({
      name: 'kvbm_server_requests_total',
      help: 'Requests by route and status',
      labelNames: ['route', 'status'],
      registers,
    }),
    ttft: new Histogram({
      name: 'kvbm_server_time_to_first_token_seconds',
      help: 'From the arrival of a request until its prompt is in the engine',
      labelNames: ['model', 'cached'],
      buckets: TTFT_BUCKETS_SECONDS,
      registers,
    }),
    promptTokens: new Counter({
      name: 'kvbm_server_prompt_tokens_total',
      help: 'Tokens of prompts by where they came from: a tier, or computed',
      labelNames: ['model', 'source'],
      registers,
    }),
    saved: new Counter({
      name: 'kvbm_server_saved_prefill_seconds_total',
      help: 'Prefill that restores spared, their own time deducted',
      labelNames: ['model'],
      registers,
    }),
  }
}

function removeInstruments(instruments: Instruments, registry: MetricsRegistry): void {
  sharedIn.delete(registry)
  for (const { name } of Object.values(instruments) as Array<{ name: string }>)
    (registry as unknown as Registry).removeSingleMetric(name)
}

function countingWith({ requests, ttft, promptTokens, saved }: Instruments, close: () => void): ServerMetrics {
  return {
    request: (route, status) => requests.inc({ route, status: String(status) }),
    prompt: (model, { cachedTokens, spans, savedMs }, seconds) => {
      ttft.observe({ model, cached: cachedTokens > 0 ? 'yes' : 'no' }, seconds)
      for (const { source, tokens } of spans) promptTokens.inc({ model, source }, tokens)
      saved.inc({ model }, savedMs / 1000)
    },
    close,
  }
}
