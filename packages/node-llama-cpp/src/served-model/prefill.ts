import type { LlamaContextSequence, Token } from 'node-llama-cpp'

/** The rest of a prompt. */
export interface PrefillRequest {
  readonly tokens: Uint32Array
  /** Tokens that the sequence holds already. */
  readonly from: number
  /** Where batches must end, the prompt's length last. Default: the engine's own batches from `from` on. */
  readonly cuts: readonly number[] | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Evaluates all but the last batch of a prompt, and returns that. Between batches a request can be ended and others get their turn. The
 * last one is left to whoever generates, for the token that follows it.
 */
export async function prefillUpToLast(sequence: LlamaContextSequence, request: PrefillRequest): Promise<Token[]> {
  const { tokens, signal } = request
  let from = request.from
  for (const to of cutsOf(request, sequence.context.batchSize)) {
    signal?.throwIfAborted()
    const batch = Array.from(tokens.subarray(from, to)) as Token[]
    if (to === tokens.length) return batch
    await sequence.evaluateWithoutGeneratingNewTokens(batch)
    from = to
  }
  throw new RangeError(`from: expected less than the ${tokens.length} tokens of the prompt, got ${request.from}`)
}

function* cutsOf({ tokens, from, cuts }: PrefillRequest, batchSize: number): Generator<number, void, void> {
  if (cuts !== undefined) return yield* cuts
  for (let to = from + batchSize; to < tokens.length; to += batchSize) yield to
  if (from < tokens.length) yield tokens.length
}
