import type { PromptReady } from '@kvbm/connector'
import type { MetricsRegistry } from '@kvbm/core'
import type { Registry } from 'prom-client'

const TTFT_BUCKETS_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export interface ServerMetrics {
  request(route: string, status: number): void
  prompt(prompt: PromptReady, ttftSeconds: number): void
}

/** Counters of requests and prompts, and time to first token, in the caller's prom-client registry; prom-client is loaded only then. */
export async function serverMetrics(registry: MetricsRegistry | undefined): Promise<ServerMetrics> {
  if (registry === undefined) return { request: () => {}, prompt: () => {} }
  const { Counter, Histogram } = await import('prom-client')
  const registers = [registry as unknown as Registry]
  const requests = new Counter({
    name: 'kvbm_server_requests_total',
    help: 'Requests by route and status',
    labelNames: ['route', 'status'],
    registers,
  })
  const ttft = new Histogram({
    name: 'kvbm_server_time_to_first_token_seconds',
    help: 'From the arrival of a request until its prompt is in the engine',
    labelNames: ['cached'],
    buckets: TTFT_BUCKETS_SECONDS,
    registers,
  })
  const promptTokens = new Counter({
    name: 'kvbm_server_prompt_tokens_total',
    help: 'Tokens of prompts by where they came from: a tier, or computed',
    labelNames: ['source'],
    registers,
  })
  const saved = new Counter({
    name: 'kvbm_server_saved_prefill_seconds_total',
    help: 'Prefill that restores spared, their own time deducted',
    registers,
  })
  return {
    request: (route, status) => requests.inc({ route, status: String(status) }),
    prompt: ({ cachedTokens, spans, savedMs }, seconds) => {
      ttft.observe({ cached: cachedTokens > 0 ? 'yes' : 'no' }, seconds)
      for (const { source, tokens } of spans) promptTokens.inc({ source }, tokens)
      saved.inc(savedMs / 1000)
    },
  }
}
