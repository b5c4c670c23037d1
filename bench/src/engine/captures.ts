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
  // While an answer is open only its early capture runs: that one, or the one at its end, brings the blocks.
  await answer.return()
  await cache.settled()
  const ms = performance.now() - started
  cache.settings = {}
  const { capturedBlocks, stallMs } = kv.status().counters
  return { blocks: capturedBlocks - before.capturedBlocks, ms, stallMs: stallMs - before.stallMs }
}
