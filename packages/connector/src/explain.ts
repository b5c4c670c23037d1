import type { DeclineReason } from './engine-driver.js'
import { changedDate } from './find-date.js'
import type { PromptMemory, SeenPrompt } from './prompt-memory.js'
import { type TierTokens, totalTokens } from './tier-tokens.js'

/** Why the hit is as long as it is. The names are API. */
export type ExplainReason =
  | 'hit'
  | 'too-short'
  | 'off'
  | 'declined'
  | 'never-seen'
  | 'differs'
  | 'date'
  | 'evicted'
  | 'not-stored'
  | 'foreign-salt'

/** Where a prompt leaves the nearest one seen before. */
export interface FirstDifference {
  /** Index of the first token that differs from the nearest prompt seen before, and of the block that holds it. */
  readonly token: number
  readonly block: number
  /** Text around it in both; empty without a detokenizer. */
  readonly here: string
  readonly before: string
}

/** Plain JSON: why a prompt hits or misses. */
export interface KvExplanation {
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly byTier: TierTokens
  readonly reason: ExplainReason
  /** One sentence for people, with the numbers and, where there is one, the remedy. */
  readonly message: string
  readonly declined?: DeclineReason
  readonly firstDifference?: FirstDifference
}

export interface ExplainFacts {
  readonly tokens: Uint32Array
  readonly salt: string
  readonly pageSize: number
  readonly byTier: TierTokens
  readonly memory: PromptMemory
  readonly detokenize: ((tokens: Uint32Array) => string) | undefined
  /** Leaves out what other tenants' and adapters' prompts would tell. */
  readonly ownOnly: boolean
}

type Verdict = Pick<KvExplanation, 'reason' | 'message' | 'firstDifference'>

/** Tokens on either side of the first difference that are shown and searched for dates: a date takes about ten. */
const CONTEXT_TOKENS = 16

/** Why `tokens` hit as far as they do, by what was seen before. */
export function explainHit(facts: ExplainFacts): KvExplanation {
  const { tokens, byTier } = facts
  const base = { promptTokens: tokens.length, cachedTokens: totalTokens(byTier), byTier }
  return { ...base, ...verdict(facts, base.cachedTokens) }
}

function verdict(facts: ExplainFacts, cachedTokens: number): Verdict {
  const { tokens, pageSize, memory, salt, ownOnly } = facts
  const most = usableTokens(tokens.length, pageSize)
  if (most === 0)
    return {
      reason: 'too-short',
      message: `${tokens.length} tokens fill no block of ${pageSize} before the last token.`,
    }
  if (cachedTokens >= most) return { reason: 'hit', message: `All ${most} tokens that can be cached are.` }
  const own = memory.nearest(salt, tokens)
  const shared = own?.sharedTokens ?? 0
  if (!ownOnly && wholeBlocks(memory.sharedWithOthers(salt, tokens), pageSize) > wholeBlocks(shared, pageSize))
    return { reason: 'foreign-salt', message: 'These tokens are known under a foreign salt, which never matches.' }
  if (own === undefined) return { reason: 'never-seen', message: 'No prompt that begins like this was seen lately.' }
  if (wholeBlocks(shared, pageSize) * pageSize > cachedTokens) return lost(own.prompt, shared, cachedTokens, pageSize)
  return shared >= tokens.length ? stillHit(cachedTokens, most) : differs(facts, own.prompt, shared)
}

function lost({ storedTokens }: SeenPrompt, shared: number, cachedTokens: number, pageSize: number): Verdict {
  const known = wholeBlocks(shared, pageSize) * pageSize
  if (storedTokens > cachedTokens)
    return {
      reason: 'evicted',
      message: `${Math.min(known, storedTokens)} tokens were cached, ${cachedTokens} still are. Raise host or disk to keep more.`,
    }
  return {
    reason: 'not-stored',
    message: `A prompt that shares ${known} tokens was seen, but only ${storedTokens} of them were stored: see captures in status().`,
  }
}

function stillHit(cachedTokens: number, most: number): Verdict {
  return { reason: 'hit', message: `${cachedTokens} of ${most} tokens that can be cached are.` }
}

function differs(facts: ExplainFacts, before: SeenPrompt, shared: number): Verdict {
  const { tokens, pageSize, detokenize } = facts
  const around = (of: Uint32Array): string =>
    detokenize?.(of.subarray(Math.max(0, shared - CONTEXT_TOKENS), shared + CONTEXT_TOKENS)) ?? ''
  const firstDifference = {
    token: shared,
    block: Math.floor(shared / pageSize),
    here: around(tokens),
    before: around(before.tokens),
  }
  if (shared >= before.tokens.length)
    return { reason: 'differs', firstDifference, message: `The nearest prompt seen before ends at token ${shared}.` }
  const date = changedDate(firstDifference.here, firstDifference.before)
  if (date !== undefined) return { reason: 'date', firstDifference, message: dateMessage(shared, date) }
  const message = `Token ${shared} is the first that differs from the nearest prompt seen before.`
  return { reason: 'differs', firstDifference, message }
}

function dateMessage(token: number, date: string): string {
  return `At token ${token} the prompt says ${date} and said another date before: a chat template that inserts today's date gives every day another prefix. Fix the date in the template, or move it to the end.`
}

function wholeBlocks(tokens: number, pageSize: number): number {
  return Math.floor(tokens / pageSize)
}

/** At least one token must be evaluated after a restore. */
export function usableTokens(promptTokens: number, pageSize: number): number {
  return Math.max(0, Math.floor((promptTokens - 1) / pageSize) * pageSize)
}
