/** What became of a prompt that was seen: how many of its tokens were put into the cache. */
export interface SeenPrompt {
  readonly salt: string
  readonly tokens: Uint32Array
  /** Tokens, from the first on, that were stored or found stored at the time; 0 until its capture ended. */
  storedTokens: number
}

export interface NearestPrompt {
  readonly prompt: SeenPrompt
  /** Tokens it shares with the one asked about, from the first on. */
  readonly sharedTokens: number
}

export interface PromptMemoryOptions {
  /** Prompts remembered under one salt. Default 32. */
  readonly promptsMax?: number
  /** Tokens remembered over all salts. Default 1 Mi: 4 MiB. */
  readonly tokensMax?: number
}

/** The last prompts, so that a miss can be explained. Bounded; the oldest go first. Tokens never leave it but to their own salt. */
export class PromptMemory {
  readonly #promptsMax: number
  readonly #tokensMax: number
  /** Oldest first. */
  readonly #prompts: SeenPrompt[] = []
  #tokens = 0

  constructor({ promptsMax = 32, tokensMax = 2 ** 20 }: PromptMemoryOptions = {}) {
    this.#promptsMax = promptsMax
    this.#tokensMax = tokensMax
  }

  /** Copies the tokens. A prompt that goes on from one seen before takes its place. */
  remember(salt: string, tokens: Uint32Array): SeenPrompt {
    const before = this.#prompts.findIndex((old) => old.salt === salt && isPrefix(old.tokens, tokens))
    const storedTokens = before < 0 ? 0 : this.#forget(before).storedTokens
    const seen: SeenPrompt = { salt, tokens: tokens.slice(0, this.#tokensMax), storedTokens }
    this.#prompts.push(seen)
    this.#tokens += seen.tokens.length
    this.#shrink(salt)
    return seen
  }

  /** The prompt of this salt that shares most tokens; of equals the newest. `except` is left out. */
  nearest(salt: string, tokens: Uint32Array, except?: SeenPrompt): NearestPrompt | undefined {
    return this.#nearest(tokens, (prompt) => prompt.salt === salt && prompt !== except)
  }

  /** Tokens that the nearest prompt of any other salt shares. Says nothing about whose it is. */
  sharedWithOthers(salt: string, tokens: Uint32Array): number {
    return this.#nearest(tokens, (prompt) => prompt.salt !== salt)?.sharedTokens ?? 0
  }

  #nearest(tokens: Uint32Array, accept: (prompt: SeenPrompt) => boolean): NearestPrompt | undefined {
    let best: NearestPrompt | undefined
    for (const prompt of this.#prompts) {
      if (!accept(prompt)) continue
      const sharedTokens = sharedLength(prompt.tokens, tokens)
      if (sharedTokens > 0 && sharedTokens >= (best?.sharedTokens ?? 0)) best = { prompt, sharedTokens }
    }
    return best
  }

  #shrink(salt: string): void {
    while (this.#prompts.filter((prompt) => prompt.salt === salt).length > this.#promptsMax)
      this.#forget(this.#prompts.findIndex((prompt) => prompt.salt === salt))
    while (this.#tokens > this.#tokensMax) this.#forget(0)
  }

  #forget(index: number): SeenPrompt {
    const [gone] = this.#prompts.splice(index, 1)
    this.#tokens -= gone!.tokens.length
    return gone!
  }
}

function sharedLength(a: Uint32Array, b: Uint32Array): number {
  const most = Math.min(a.length, b.length)
  let length = 0
  while (length < most && a[length] === b[length]) length++
  return length
}

function isPrefix(prefix: Uint32Array, tokens: Uint32Array): boolean {
  return sharedLength(prefix, tokens) === prefix.length
}
