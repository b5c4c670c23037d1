import type { LlamaModel, Token } from 'node-llama-cpp'

/** Draws prompts of ordinary tokens, and numbers; the same ones for the same seed and vocabulary. What they say does not change the work. */
export class PromptSource {
  readonly #tokens: readonly Token[]
  #state: number

  constructor(model: LlamaModel, seed = 1) {
    this.#tokens = [...model.iterateAllTokens()].filter(
      (token) => !model.isSpecialToken(token) && !model.isEogToken(token),
    )
    this.#state = seed
  }

  take(count: number): Token[] {
    return Array.from({ length: count }, () => this.#tokens[this.below(this.#tokens.length)]!)
  }

  /** A whole number from 0 to below `bound`. */
  below(bound: number): number {
    this.#state = (this.#state * 48_271) % 2_147_483_647
    return this.#state % bound
  }

  chance(part: number): boolean {
    return this.below(1000) < part * 1000
  }
}
