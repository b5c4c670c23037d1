import type { LlamaContextSequence, Token } from 'node-llama-cpp'

/** Milliseconds from the call to the first token of the answer. */
export async function firstTokenMs(sequence: LlamaContextSequence, prompt: readonly Token[]): Promise<number> {
  const started = performance.now()
  const answer = sequence.evaluate([...prompt], { yieldEogToken: true })
  await answer.next()
  const ms = performance.now() - started
  await answer.return()
  return ms
}

/** The same, held against the engine's own meter: it evaluated exactly so many tokens of the prompt. */
export async function firstTokenAfter(
  sequence: LlamaContextSequence,
  prompt: readonly Token[],
  evaluated: number,
): Promise<number> {
  const before = sequence.tokenMeter.getState()
  const ms = await firstTokenMs(sequence, prompt)
  // The last token of a prompt, which an answer follows, counts as output.
  const { usedInputTokens, usedOutputTokens } = sequence.tokenMeter.diff(before)
  const found = usedInputTokens + usedOutputTokens
  if (found !== evaluated) throw new Error(`Expected the engine to evaluate ${evaluated} tokens, and it did ${found}.`)
  return ms
}
