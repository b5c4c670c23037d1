import type { LlamaContextSequence } from 'node-llama-cpp'

type Generate = LlamaContextSequence['evaluateWithMetadata']

/**
 * Puts a clock around the engine's own generation; call it before a cache is put around that. Gives the milliseconds that the engine
 * itself took to the first token of the last answer: what is above it is ours.
 */
export function timeEngine(sequence: LlamaContextSequence): () => number {
  const generate = sequence.evaluateWithMetadata.bind(sequence)
  let engineMs = 0
  async function* timed(...call: Parameters<Generate>): ReturnType<Generate> {
    const answer = generate(...call)
    try {
      const started = performance.now()
      let { value, done } = await answer.next()
      engineMs = performance.now() - started
      while (done !== true) ({ value, done } = await answer.next((yield value as never) as never))
    } finally {
      await answer.return()
    }
  }
  sequence.evaluateWithMetadata = timed as never
  return () => engineMs
}
