import { type KvCache, kvCacheOf } from '@kvbm/node-llama-cpp'
import type { LlamaContextSequence, Token } from 'node-llama-cpp'

/** One capture of all blocks that a sequence holds. */
export interface CaptureSample {
  readonly blocks: number
  /** From the first token of the answer until the blocks are in the cache. */
  readonly ms: number
  /** How long of that the engine could not decode. */
  readonly stallMs: number
}

/** What a sequence holds is new to a tenant who never asked: a few more tokens, and all of it is captured without a prefill. */
export async function captureAgain(
  kv: KvCache,
  sequence: LlamaContextSequence,
  { tail, tenant }: { readonly tail: readonly Token[]; readonly tenant: string },
): Promise<CaptureSample> {
  const cache = kvCacheOf(sequence)!
  const before = kv.status().counters
  cache.settings = { tenant }
  const answer = sequence.evaluate([...tail], { yieldEogToken: true })
  await answer.next()
  const started = performance.now()
  await cache.connector.settled()
  const ms = performance.now() - started
  await answer.return()
  cache.settings = {}
  await cache.settled()
  const { capturedBlocks, stallMs } = kv.status().counters
  return { blocks: capturedBlocks - before.capturedBlocks, ms, stallMs: stallMs - before.stallMs }
}
