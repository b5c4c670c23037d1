import type { TierName } from '@kvbm/core'
import type { CaptureSkip } from './capture-scheduler.js'

/** One message of a conversation, as chat templates take it. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

/** A prompt as tokens, and how to go on from it. */
export interface GenerateRequest {
  readonly tokens: Uint32Array
  readonly maxTokens: number
  /** 0 is greedy. */
  readonly temperature: number
  /** Draws only from the likeliest tokens that together have this probability. Default 1: from all. */
  readonly topP?: number | undefined
  readonly seed?: number | undefined
  /** The text ends before the first of these. */
  readonly stop?: readonly string[] | undefined
  /** Blocks of one tenant are invisible to others. */
  readonly tenant?: string | undefined
  /** The bits of a run without cache, at the price of shorter hits. Default false. */
  readonly exact?: boolean | undefined
  /** `false`: neither looks anything up nor captures, to see what the cache is worth. Default true. */
  readonly cache?: boolean | undefined
  /** Ends the generation at the next token; the iteration then ends with `finishReason: 'aborted'`. */
  readonly signal?: AbortSignal | undefined
}

/** Neighbouring tokens of a prompt that came from the same place. */
export interface PromptSpan {
  /** The tier that held them, or `computed`: the engine evaluated them for this request. */
  readonly source: TierName | 'computed'
  readonly tokens: number
}

/** The prompt is in the engine: what the cache gave, and how long each part took. Comes first, before any text. */
export interface PromptReady {
  readonly type: 'prompt'
  readonly promptTokens: number
  readonly cachedTokens: number
  /** Where the prompt's tokens came from, from the first to the last; together `promptTokens`. */
  readonly spans: readonly PromptSpan[]
  /** Milliseconds the request waited for a free sequence, looked its blocks up, put them in, and evaluated the rest. */
  readonly timings: {
    readonly waitMs: number
    readonly lookupMs: number
    readonly restoreMs: number
    readonly prefillMs: number
  }
  /** Prefill time that the cache saved, from running averages; 0 when nothing was cached. */
  readonly savedMs: number
  /** Why nothing, or not more, was cached; empty when all was. */
  readonly missReason: string
}

/** The next piece of an answer. */
export interface GeneratedText {
  readonly type: 'text'
  readonly text: string
  /** Tokens that this piece stands for. */
  readonly tokens: number
}

/** The last event of a generation: why it ended, and its length in tokens. */
export interface GenerationEnd {
  readonly type: 'end'
  readonly finishReason: 'stop' | 'length' | 'aborted'
  readonly completionTokens: number
}

/** What a generation yields, in this order: the prompt is ready, pieces of text, the end. */
export type GenerationEvent = PromptReady | GeneratedText | GenerationEnd

/**
 * Port: a model that can be served over HTTP. Adapters implement it over their engine; the server knows nothing else of an engine.
 * Of `generate` and `warm`, `slots` calls run at once; further ones wait for a free sequence in order. The server keeps no queue of its own:
 * so the cache knows of all who wait, and captures nothing meanwhile.
 */
export interface ServedModel {
  /** What `/v1/models` lists. */
  readonly id: string
  /** What people must know first, e.g. that the weights are random and the text is noise; empty for a real model. */
  readonly notice: string
  /** Tokens are numbers below this. */
  readonly vocabularySize: number
  /** Tokens of prompt and answer together. */
  readonly contextTokens: number
  /** Requests that can decode at the same time. */
  readonly slots: number
  tokenize(text: string): Uint32Array
  /** The model's chat template applied, the assistant's turn opened. */
  tokenizeChat(messages: readonly ChatMessage[]): Uint32Array
  /** Texts that end an answer in chats, beside special tokens: some templates mark turns with plain text. Default none. */
  readonly chatStops?: readonly string[]
  detokenize(tokens: Uint32Array): string
  /**
   * `prompt`, then any number of `text`, then `end`. Rejects when the engine fails, with `ClosedError` (as everything does here) once
   * the model is closed; an abort is an `end`.
   */
  generate(request: GenerateRequest): AsyncIterable<GenerationEvent>
  /**
   * Evaluates what is not cached of a prefix and captures it when no other request is open. It waits `captureMs` for that, then reports
   * that it was not captured yet. Rejects with the signal's reason.
   */
  warm(tokens: Uint32Array, options?: WarmModelOptions): Promise<WarmReport>
  /** Why a prompt would hit or miss. Says nothing that prompts of other tenants would tell. */
  explain(tokens: Uint32Array, options?: { readonly tenant?: string }): CacheExplanation
  status(): ServedStatus
  close(): Promise<void>
}

/**
 * Plain JSON: how a model and its cache are. States are for everybody; reasons may name paths of this machine and are for its operator.
 * Counts, which would tell of other tenants, are left to metrics.
 */
export interface ServedStatus {
  /** `closed`: it answers nothing any more. */
  readonly model: 'open' | 'closed'
  readonly cache: 'closed' | 'opening' | 'open' | 'off'
  /** Why it is off; empty otherwise. */
  readonly reason: string
  readonly tiers: Readonly<Partial<Record<TierName, { readonly state: string; readonly reason: string }>>>
}

/** For whom a prompt is warmed, and how long its capture may take. */
export interface WarmModelOptions {
  readonly tenant?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** How long it waits for a pause of the other requests to capture in. Default 30 seconds. */
  readonly captureMs?: number | undefined
  /** Called when the prompt is evaluated and its sequence free again: from then on only the capture is waited for. */
  readonly onEvaluated?: (() => void) | undefined
}

/** What warming a prompt found cached, how long it took, and whether the prompt is cached now. */
export interface WarmReport {
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly ms: number
  /** Whether all its whole blocks are cached now. */
  readonly captured: boolean
  /** Why not; empty when they are. `pending`: requests were open all the time; it is captured in the next pause if its sequence still holds it. */
  readonly reason: CaptureSkip | 'pending' | ''
}

/** What the cache would give for a prompt, from which tiers, and why not more. */
export interface CacheExplanation {
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly byTier: Readonly<Record<TierName, number>>
  /** `hit`, or the name of why the hit is not longer. */
  readonly reason: string
  /** The same in one sentence, with numbers and, where there is one, the remedy. */
  readonly message: string
  /** First token that differs from the nearest prompt seen before, with the text around it in both; absent when none is near. */
  readonly firstDifference?: { readonly token: number; readonly here: string; readonly before: string }
}
