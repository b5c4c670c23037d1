import type { CaptureSkip } from './capture-scheduler.js'
import type { DeclineReason } from './engine-driver.js'
import type { LoadEstimate, LoadReason } from './load-policy.js'
import type { TierSpan, TierTokens } from './tier-tokens.js'

/** Whose request it is. */
export interface SessionOptions {
  /** Blocks of one tenant are invisible to others. */
  readonly tenant?: string | undefined
  /** Bits of a run without cache, at the price of shorter hits; blocks are kept apart from the usual ones. Default false. */
  readonly exact?: boolean | undefined
  /** Ends the session when it aborts, as `finish` does. */
  readonly signal?: AbortSignal | undefined
}

/** What the engine has already. */
export interface LookupOptions {
  /** Tokens of the prompt, from the first on, that the slot holds already. Default 0. */
  readonly residentTokens?: number | undefined
}

/** What is cached of the prompt, and whether it pays to load it. */
export interface KvLookup {
  /** Whole blocks, and less than the prompt: at least one token is left to evaluate. */
  readonly cachedTokens: number
  readonly byTier: TierTokens
  readonly estimate: LoadEstimate
  readonly decision: 'load' | 'recompute'
  readonly reason: LoadReason | 'not-ready' | 'declined' | 'not-looked-up'
}

/** How long a restore may take. */
export interface LoadOptions {
  /** Gives up after so many milliseconds: then 0 tokens are resident. */
  readonly deadlineMs?: number | undefined
  /** Rejects with the signal's reason; the slot is empty then. */
  readonly signal?: AbortSignal | undefined
}

/** What a restore put into the slot. */
export interface Loaded {
  /** Tokens that are in the slot now, from the first on. 0: the slot is as empty as before. */
  readonly tokens: number
  readonly ms: number
  /** Prefill that was spared by what was learned of its speed, the restore deducted; 0 while nothing is known. */
  readonly savedMs: number
  readonly byTier: TierTokens
  /** The same in the order of the prompt. */
  readonly spans: readonly TierSpan[]
  /** In exact mode: where the evaluation of the rest must end a batch, the prompt's length last. Else only that. */
  readonly cuts: readonly number[]
}

/** What the engine evaluated of a prompt. */
export interface Prefilled {
  /** Tokens of the prompt that the engine evaluated, and how long that took. */
  readonly tokens: number
  readonly ms: number
}

/** What is to be captured of a slot. */
export interface CaptureRange {
  /** All that the slot holds, prompt and answer. Default: the prompt. */
  readonly tokens?: Uint32Array | undefined
  /** Tokens to capture up to; partly filled blocks are left out. Default: all. */
  readonly to?: number | undefined
  /** Right after the prefill, before the answer: runs now if it is short and in nobody's way, else not at all. */
  readonly early?: boolean | undefined
  /** Also what is so little that saving the whole sequence does not pay. Default false: the next capture that pays takes it along. */
  readonly complete?: boolean | undefined
}

/** How long captures are waited for. */
export interface CapturedOptions {
  /** Stops waiting. */
  readonly signal?: AbortSignal | undefined
}

/** `queued`: it runs when the context is idle. */
export interface CaptureReport {
  readonly state: 'none' | 'queued' | 'stored' | 'skipped'
  readonly reason?: CaptureSkip
  readonly storedBlocks: number
  readonly stallMs: number
  readonly savedBytes: number
}

/** Plain JSON: what the cache did for one request. */
export interface SessionReport {
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly byTier: TierTokens
  readonly restoreMs: number
  readonly prefillMs: number
  /** Prefill that was spared by what was learned of its speed, the restore deducted; 0 while nothing is known. */
  readonly savedMs: number
  readonly decision: KvLookup['decision']
  readonly reason: KvLookup['reason']
  readonly capture: CaptureReport
  readonly declined?: DeclineReason
}
