import type { LlamaContext, LlamaContextSequence, SequenceEvaluateOptions, Token } from 'node-llama-cpp'
import { kvCacheOf, type SequenceCache } from '../../src/index.js'

/** Greedy: the first `count` tokens of the answer to a prompt. */
export async function answer(
  sequence: LlamaContextSequence,
  prompt: Token[],
  count = 8,
  options: SequenceEvaluateOptions = {},
): Promise<Token[]> {
  const tokens: Token[] = []
  for await (const token of sequence.evaluate(prompt, { yieldEogToken: true, ...options }))
    if (tokens.push(token) === count) break
  return tokens
}

/** The cache behind a sequence. */
export function cacheOf(sequence: LlamaContextSequence): SequenceCache {
  const cache = kvCacheOf(sequence)
  if (cache === undefined) throw new Error('this sequence has no cache')
  return cache
}

/** Evaluates a prompt in a sequence of its own and waits until its blocks are cached. */
export async function fill(context: LlamaContext, prompt: Token[]): Promise<void> {
  const sequence = context.getSequence()
  await sequence.evaluateWithoutGeneratingNewTokens(prompt)
  await cacheOf(sequence).settled()
  await sequence.dispose()
}

/** Tokens that the engine really evaluated, while `work` ran. */
export async function evaluatedIn(sequence: LlamaContextSequence, work: () => Promise<unknown>): Promise<number> {
  const before = sequence.tokenMeter.getState()
  await work()
  const { usedInputTokens, usedOutputTokens } = sequence.tokenMeter.diff(before)
  return usedInputTokens + usedOutputTokens
}

/** How often the engine saved this sequence's state so far; it goes on saving. */
export function countSaves(sequence: LlamaContextSequence): () => number {
  const save = sequence.saveStateToFile.bind(sequence)
  let saves = 0
  sequence.saveStateToFile = (path) => {
    saves++
    return save(path)
  }
  return () => saves
}
