import { generateChats } from './chat-generator.js'
import type { ReplayOptions } from './options.js'
import { loadTrace, type TraceRequest } from './trace.js'

export type RequestSource = Pick<ReplayOptions, 'trace' | 'seed' | 'requests'>

/** What is served: so many requests, in order. */
export interface RequestStream extends Iterable<TraceRequest> {
  readonly total: number
}

/** Requests of a trace file, which is read and checked as a whole first, or of the seeded generator. Throws `UsageError`. */
export async function openRequests({ trace, seed, requests }: RequestSource): Promise<RequestStream> {
  if (trace === undefined) return { total: requests, [Symbol.iterator]: () => firstChats(seed, requests) }
  const recorded = await loadTrace(trace, requests)
  return { total: recorded.length, [Symbol.iterator]: () => recorded.values() }
}

function* firstChats(seed: number, count: number): Generator<TraceRequest, undefined, void> {
  let served = 0
  for (const request of generateChats(seed)) {
    if (served++ === count) return
    yield request
  }
}
