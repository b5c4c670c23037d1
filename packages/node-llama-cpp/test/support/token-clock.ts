import type { Clock } from '@kvbm/connector'
import { ManualClock } from '@kvbm/connector/testing'
import type { LlamaContext, LlamaContextSequence } from 'node-llama-cpp'

/**
 * A clock on which evaluating a token takes a millisecond and nothing else takes time: the cache learns the same on every machine. Its
 * alarms ring when a test says so.
 */
export class TokenClock implements Clock {
  readonly #sequences: LlamaContextSequence[] = []
  readonly #alarms = new ManualClock()

  /** Counts the tokens of all sequences that the context gives from now on. */
  watch(context: LlamaContext): void {
    const getSequence = context.getSequence.bind(context)
    context.getSequence = (options) => {
      const sequence = getSequence(options)
      this.#sequences.push(sequence)
      return sequence
    }
  }

  now(): number {
    let tokens = 0
    for (const { tokenMeter } of this.#sequences) tokens += tokenMeter.usedInputTokens + tokenMeter.usedOutputTokens
    return tokens
  }

  after(delayMs: number, run: () => void): () => void {
    return this.#alarms.after(delayMs, run)
  }

  /** Rings the alarms of the next `ms`. */
  pass(ms: number): void {
    this.#alarms.advance(ms)
  }
}
