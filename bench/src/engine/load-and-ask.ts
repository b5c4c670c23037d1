import type { LlamaContextSequence, Token } from 'node-llama-cpp'
import { firstTokenAfter } from './first-token.js'
import type { Sample } from './way.js'

/** Loads a whole-state file, as node-llama-cpp offers it, and asks what comes after it. */
export async function loadAndAsk(
  sequence: LlamaContextSequence,
  { tail, path }: { readonly tail: readonly Token[]; readonly path: string },
): Promise<Sample> {
  await sequence.clearHistory()
  const started = performance.now()
  await sequence.loadStateFromFile(path, { acceptRisk: true })
  const restoreMs = performance.now() - started
  return { ms: restoreMs + (await firstTokenAfter(sequence, tail, tail.length)), restoreMs }
}
