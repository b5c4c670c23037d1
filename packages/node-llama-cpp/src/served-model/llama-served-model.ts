import type {
  CacheExplanation,
  ChatMessage,
  GenerateRequest,
  GenerationEvent,
  KvConnector,
  PromptReady,
  ServedModel,
  ServedStatus,
  WarmModelOptions,
  WarmReport,
} from '@kvbm/connector'
import { ClosedError } from '@kvbm/core'
import type { LlamaContext, LlamaContextSequence, LlamaModel, Token } from 'node-llama-cpp'
import type { Restored } from './cached-prompt.js'
import type { ChatTemplate } from './chat-template.js'
import { prefillUpToLast } from './prefill.js'
import { samplingOf } from './sampling.js'
import { SequenceSeats } from './sequence-seats.js'
import { servedStatus } from './served-status.js'
import { speak } from './speak.js'
import { StopFilter } from './stop-filter.js'
import { TokenText } from './token-text.js'
import { Turn } from './turn.js'
import { warmOutcome } from './warm-outcome.js'
import { within } from './within.js'

/** How long `warm` waits for a pause to capture in. */
const CAPTURE_MS = 30_000
/** What is closed, in errors. */
const WHAT = 'Served model'

/** What a served model is made of. `dispose` frees all of it. */
export interface LlamaServedModelParts {
  readonly id: string
  readonly notice: string
  readonly context: LlamaContext
  readonly connector: KvConnector<LlamaContextSequence>
  readonly template: ChatTemplate
  readonly dispose: () => Promise<void>
}

/** A model in one context of node-llama-cpp: each sequence serves one request at a time, all behind one cache. Made by `serveModel`. */
export class LlamaServedModel implements ServedModel {
  readonly id: string
  readonly notice: string
  readonly vocabularySize: number
  readonly contextTokens: number
  readonly slots: number
  readonly chatStops: readonly string[]
  readonly #parts: LlamaServedModelParts
  readonly #model: LlamaModel
  readonly #seats: SequenceSeats
  readonly #stopTokens: ReadonlySet<Token>
  #closing: Promise<void> | undefined

  constructor(parts: LlamaServedModelParts) {
    const { id, notice, context, template } = parts
    this.#parts = parts
    this.#model = context.model
    this.id = id
    this.notice = notice
    this.vocabularySize = [...context.model.iterateAllTokens()].length
    this.contextTokens = context.contextSize
    this.slots = context.totalSequences
    this.#seats = new SequenceSeats(Array.from({ length: this.slots }, () => context.getSequence()))
    this.#stopTokens = template.stopTokens
    this.chatStops = template.stopTexts
  }

  /** Special tokens may be written as text, as prompts do that were formatted by hand. */
  tokenize(text: string): Uint32Array {
    this.#assertOpen()
    const { bos, shouldPrependBosToken } = this.#model.tokens
    const tokens = this.#model.tokenize(text, true)
    return Uint32Array.from(shouldPrependBosToken && bos !== null && tokens[0] !== bos ? [bos, ...tokens] : tokens)
  }

  tokenizeChat(messages: readonly ChatMessage[]): Uint32Array {
    this.#assertOpen()
    return Uint32Array.from(this.#parts.template.tokenize(messages))
  }

  detokenize(tokens: Uint32Array): string {
    this.#assertOpen()
    return this.#model.detokenize([...tokens] as Token[], true)
  }

  async *generate(request: GenerateRequest): AsyncGenerator<GenerationEvent, void, void> {
    let turn: Turn | undefined
    try {
      turn = await this.#turn(request)
      yield* this.#answer(request, turn)
    } catch (error) {
      if (!request.signal?.aborted) throw this.#closing === undefined ? error : new ClosedError(WHAT)
      yield { type: 'end', finishReason: 'aborted', completionTokens: 0 }
    } finally {
      await turn?.end()
    }
  }

  async warm(tokens: Uint32Array, options: WarmModelOptions = {}): Promise<WarmReport> {
    const { tenant, signal, captureMs = CAPTURE_MS, onEvaluated } = options
    const started = performance.now()
    const turn = await this.#turn({ tokens, tenant, signal })
    const cachedTokens = await this.#fill(tokens, turn, signal).finally(() => turn.end({ complete: true }))
    onEvaluated?.()
    const { connector } = this.#parts
    // Whoever waits until captures are settled spares them the longer idle time.
    void connector.settled()
    const outcome = warmOutcome(await within(captureMs, turn.prompt.captured(signal)))
    await connector.warm(tokens, { tenant, signal })
    return { promptTokens: tokens.length, cachedTokens, ms: performance.now() - started, ...outcome }
  }

  explain(tokens: Uint32Array, options: { readonly tenant?: string } = {}): CacheExplanation {
    this.#assertOpen()
    return this.#parts.connector.explain(tokens, { ...options, ownOnly: true })
  }

  status(): ServedStatus {
    return servedStatus(this.#closing === undefined ? 'open' : 'closed', this.#parts.connector.status().model)
  }

  /** Resolves when no capture waits or runs: not before no request is open. For who wants to be sure that an answer is cached. */
  settled(): Promise<void> {
    return this.#parts.connector.settled()
  }

  /** Ends what runs and frees the engine; the cache stays its owner's. Idempotent. */
  close(): Promise<void> {
    this.#seats.close()
    this.#closing ??= this.#parts.dispose()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new ClosedError(WHAT)
  }

  async #turn(request: Parameters<typeof Turn.begin>[2]): Promise<Turn> {
    this.#assertOpen()
    // Where the context would be shifted, tokens would have the KV of other places than their prompt's.
    if (request.tokens.length >= this.contextTokens) throw tooLong(request.tokens.length, this.contextTokens)
    return Turn.begin(this.#parts.connector, this.#seats, request)
  }

  /** Puts the prompt into the sequence, then speaks. */
  async *#answer(request: GenerateRequest, turn: Turn): AsyncGenerator<GenerationEvent, void, void> {
    const { tokens, signal, stop = [] } = request
    const maxTokens = Math.min(request.maxTokens, this.contextTokens - tokens.length)
    const { prompt, seat } = turn
    const restored = await prompt.restore(seat)
    const started = performance.now()
    const last = await prefillUpToLast(seat.sequence, { tokens, from: restored.tokens, cuts: restored.cuts, signal })
    const generated = seat.sequence.evaluate(last, samplingOf(request))
    try {
      const first = await generated.next()
      const prefillMs = performance.now() - started
      prompt.prefilled({ tokens: tokens.length - restored.tokens, ms: prefillMs })
      prompt.captureEarly(seat)
      yield promptReady(tokens.length, restored, { waitMs: turn.waitMs, prefillMs })
      const filter = new StopFilter(stop)
      const isStop = (token: Token): boolean => this.#stopTokens.has(token)
      yield* speak({ tokens: generated, first, text: this.#textAfter(tokens), filter, maxTokens, isStop, signal })
    } finally {
      await generated.return()
    }
  }

  /** Puts a prompt into a sequence without an answer; resolves with what was there before. */
  async #fill(tokens: Uint32Array, { prompt, seat }: Turn, signal: AbortSignal | undefined): Promise<number> {
    const { tokens: from, cuts } = await prompt.restore(seat)
    const started = performance.now()
    const last = await prefillUpToLast(seat.sequence, { tokens, from, cuts, signal })
    await seat.sequence.evaluateWithoutGeneratingNewTokens(last)
    prompt.prefilled({ tokens: tokens.length - from, ms: performance.now() - started })
    return from
  }

  #textAfter(tokens: Uint32Array): TokenText<Token> {
    const detokenize = (some: readonly Token[], before: readonly Token[]): string =>
      this.#model.detokenize(some, false, before)
    return new TokenText(detokenize, [...tokens.subarray(-8)] as Token[])
  }
}

function tooLong(promptTokens: number, contextTokens: number): RangeError {
  return new RangeError(
    `tokens: expected fewer than the context's ${contextTokens}, got ${promptTokens}. Shorten the prompt, or raise contextTokens`,
  )
}

function promptReady(
  promptTokens: number,
  restored: Restored,
  { waitMs, prefillMs }: { readonly waitMs: number; readonly prefillMs: number },
): PromptReady {
  const { tokens, spans, lookupMs, restoreMs, savedMs, missReason } = restored
  return {
    type: 'prompt',
    promptTokens,
    cachedTokens: tokens,
    spans: [...spans, { source: 'computed', tokens: promptTokens - tokens }],
    timings: { waitMs, lookupMs, restoreMs, prefillMs },
    savedMs,
    missReason,
  }
}
