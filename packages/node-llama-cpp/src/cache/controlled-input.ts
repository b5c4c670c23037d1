import type {
  ControlledEvaluateIndexOutput,
  ControlledEvaluateInputItem,
  LlamaContextSequence,
  Token,
} from 'node-llama-cpp'

/** What comes after the input of a controlled evaluation. */
export type ControlledOptions = Parameters<LlamaContextSequence['controlledEvaluate']>[1]
type Outputs = Awaited<ReturnType<LlamaContextSequence['controlledEvaluate']>>

/** The tokens of the input. */
export function tokensOf(input: readonly ControlledEvaluateInputItem[]): Token[] {
  return input.map((item) => (Array.isArray(item) ? item[0] : item))
}

/** Items up to the first one that asks for output: those behind it are not skipped, whatever is cached. */
export function countToFirstOutput(input: readonly ControlledEvaluateInputItem[]): number {
  const first = input.findIndex((item) => Array.isArray(item) && item[1]?.generateNext !== undefined)
  return first < 0 ? input.length : first + 1
}

/** Outputs of an input whose first items were skipped, at the indices that the caller knows. */
export function shiftOutputs(outputs: Outputs, skipped: number): Outputs {
  const shifted: Outputs = []
  outputs.forEach((output, index) => {
    shifted[index + skipped] = output
  })
  return shifted
}

/** Options that tell the caller's listener of the caller's indices. */
export function shiftOptions(options: ControlledOptions, skipped: number): ControlledOptions {
  const listener = options?.onTokenResult
  if (listener === undefined) return options
  const onTokenResult = (index: number, output: ControlledEvaluateIndexOutput): void =>
    listener(index + skipped, output)
  return { ...options, onTokenResult }
}
