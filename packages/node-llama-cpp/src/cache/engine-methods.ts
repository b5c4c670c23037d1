import type { LlamaContextSequence } from 'node-llama-cpp'

/** What is put over a sequence's own methods. */
const METHODS = [
  'evaluateWithMetadata',
  'evaluateWithoutGeneratingNewTokens',
  'controlledEvaluate',
  'adaptStateToTokens',
  'eraseContextTokenRanges',
  'clearHistory',
  'loadStateFromFile',
  'dispose',
] as const

/** The methods of a sequence that a cache stands before. `evaluate` calls the first one. */
export type EngineMethods = Pick<LlamaContextSequence, (typeof METHODS)[number]>

/** The sequence's methods as they are now, bound to it. */
export function methodsOf(sequence: LlamaContextSequence): EngineMethods {
  return Object.fromEntries(METHODS.map((name) => [name, sequence[name].bind(sequence)])) as unknown as EngineMethods
}
