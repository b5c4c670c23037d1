import { generateChats } from './chat-generator.js'
import { loadTrace, type TraceRequest } from './trace.js'

/** Where requests come from, and how many of them. */
export interface RequestSource {
  /** A trace file. Undefined: generated chats. */
  readonly trace: string | undefined
  readonly seed: number
  readonly requests: number
}

/** What is served: so many requests, in order, as often as one likes to walk them. */
export interface Requests extends Iterable<TraceRequest> {
  readonly total: number
}

/** Requests of a trace file, which is read and checked as a whole first, or of the seeded generator. Throws `UsageError`. */
export async function openRequests({ trace, seed, requests }: RequestSource): Promise<Requests> {
  if (trace === undefined) return { total: requests, [Symbol.iterator]: () => firstChats(seed, requests) }
  const recorded = await loadTrace(trace, requests)
  return { total: recorded.length, [Symbol.iterator]: () => recorded.values() }
}

function* firstChats(seed: number, count: number): Generator<TraceRequest, undefined, void> {
  let given = 0
  for (const request of generateChats(seed)) {
    if (given++ === count) return
    yield request
  }
}
