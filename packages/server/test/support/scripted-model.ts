import type {
  CacheExplanation,
  ChatMessage,
  GenerateRequest,
  GenerationEvent,
  PromptSpan,
  ServedModel,
  ServedStatus,
  WarmModelOptions,
  WarmReport,
} from '@kvbm/connector'
import { ClosedError } from '@kvbm/core'

/**
 * A test tool, not a model: tokens are UTF-16 units, the answer to a prompt is `answer`, and a prompt seen before (by the same
 * tenant) counts as cached. `gate` holds every token back until the test lets it go.
 */
export class ScriptedModel implements ServedModel {
  readonly id: string = 'scripted'
  readonly notice = 'a scripted test model'
  readonly vocabularySize = 0x10000
  readonly contextTokens = 200
  readonly slots = 2
  get chatStops(): string[] {
    return ['STOP']
  }
  answer = 'one two three'
  failure: Error | undefined
  gate: Promise<void> | undefined
  /** Holds captures of warmed prompts back. */
  captureGate: Promise<void> | undefined
  /** Warmed prompts whose captures are waited for. */
  capturing = 0
  /** Requests that ended early, by the signal or by a reader that went away. */
  abandoned = 0
  running = 0
  /** Requests that came while all slots were taken. */
  waiting = 0
  /** Texts that were tokenized. */
  tokenized = 0
  readonly requests: GenerateRequest[] = []
  /** Why the cache and its tiers are as they are. */
  reason = ''
  #closed = false
  readonly #seen = new Set<string>()

  tokenize(text: string): Uint32Array {
    if (this.#closed) throw new ClosedError('Scripted model')
    this.tokenized++
    return Uint32Array.from(text, (unit) => unit.charCodeAt(0))
  }

  tokenizeChat(messages: readonly ChatMessage[]): Uint32Array {
    return this.tokenize(messages.map(({ role, content }) => `<${role}>${content}`).join(''))
  }

  detokenize(tokens: Uint32Array): string {
    return String.fromCharCode(...tokens)
  }

  async *generate(request: GenerateRequest): AsyncGenerator<GenerationEvent, void, void> {
    this.waiting++
    while (this.running >= this.slots && !request.signal?.aborted) await new Promise(setImmediate)
    this.waiting--
    if (request.signal?.aborted) return yield { type: 'end', finishReason: 'aborted', completionTokens: 0 }
    this.requests.push(request)
    this.running++
    let ended = false
    try {
      if (this.failure !== undefined) throw this.failure
      const { tokens, tenant, signal, maxTokens, stop = [], cache = true } = request
      const cachedTokens = cache ? this.#look(tokens, tenant) : 0
      const spans = spansOf(tokens.length, cachedTokens)
      const timings = { waitMs: 0, lookupMs: 1, restoreMs: 2, prefillMs: 3 }
      const missReason = cachedTokens === 0 ? 'never seen' : ''
      yield { type: 'prompt', promptTokens: tokens.length, cachedTokens, spans, timings, savedMs: 0, missReason }
      const words = this.answer.split(/(?<= )/)
      let completionTokens = 0
      for (const word of words) {
        await this.gate
        if (signal?.aborted || completionTokens === maxTokens || stop.includes(word.trim())) break
        completionTokens++
        yield { type: 'text', text: word, tokens: 1 }
      }
      const finishReason = signal?.aborted ? 'aborted' : completionTokens === maxTokens ? 'length' : 'stop'
      ended = finishReason !== 'aborted'
      yield { type: 'end', finishReason, completionTokens }
    } finally {
      if (!ended) this.abandoned++
      this.running--
    }
  }

  async warm(tokens: Uint32Array, { tenant, onEvaluated }: WarmModelOptions = {}): Promise<WarmReport> {
    const cachedTokens = this.#look(tokens, tenant)
    onEvaluated?.()
    this.capturing++
    await this.captureGate
    this.capturing--
    return { promptTokens: tokens.length, cachedTokens, ms: 1, captured: true, reason: '' }
  }

  explain(tokens: Uint32Array, { tenant }: { tenant?: string } = {}): CacheExplanation {
    const cachedTokens = this.#seen.has(keyOf(tokens, tenant)) ? tokens.length : 0
    const reason = cachedTokens === 0 ? 'never seen' : 'hit'
    const byTier = { device: 0, host: cachedTokens, disk: 0 }
    return { promptTokens: tokens.length, cachedTokens, byTier, reason, message: `It is ${reason}.` }
  }

  status(): ServedStatus {
    const model = this.#closed ? 'closed' : 'open'
    return { model, cache: 'open', reason: this.reason, tiers: { host: { state: 'ok', reason: this.reason } } }
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #look(tokens: Uint32Array, tenant: string | undefined): number {
    const key = keyOf(tokens, tenant)
    const cached = this.#seen.has(key) ? tokens.length - 1 : 0
    this.#seen.add(key)
    return cached
  }
}

function spansOf(promptTokens: number, cachedTokens: number): PromptSpan[] {
  const spans: PromptSpan[] = [
    { source: 'host', tokens: cachedTokens },
    { source: 'computed', tokens: promptTokens - cachedTokens },
  ]
  return spans.filter(({ tokens }) => tokens > 0)
}

function keyOf(tokens: Uint32Array, tenant: string | undefined): string {
  return `${tenant ?? ''}/${tokens.join()}`
}
