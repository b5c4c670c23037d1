import type {
  CaptureRange,
  CaptureReport,
  GenerateRequest,
  KvConnector,
  KvExplanation,
  KvLookup,
  KvSession,
  Prefilled,
  PromptSpan,
} from '@kvbm/connector'
import type { LlamaContextSequence } from 'node-llama-cpp'
import { residentTokens, type Seat } from './sequence-seats.js'

type Session = KvSession<LlamaContextSequence>
type Connector = KvConnector<LlamaContextSequence>

/** What a sequence holds of a prompt before anything is computed, and where it came from. */
export interface Restored {
  /** Tokens, from the first on. */
  readonly tokens: number
  readonly spans: readonly PromptSpan[]
  /** Where batches of the rest must end to give the bits of a run without cache; undefined: at the engine's own batches. */
  readonly cuts: readonly number[] | undefined
  readonly lookupMs: number
  readonly restoreMs: number
  readonly savedMs: number
  readonly missReason: string
}

/** Which request a prompt belongs to. */
export type PromptOf = Pick<GenerateRequest, 'tokens' | 'tenant' | 'exact' | 'cache' | 'signal'>

/** What the cache was asked, or how to leave a context whose cache was not. */
interface Asked {
  readonly explanation?: KvExplanation
  readonly session?: Session
  readonly leave?: () => void
}

/** Reasons that speak of the cache's own tiers, not of the prompt. */
const LOST: ReadonlySet<KvExplanation['reason']> = new Set(['evicted', 'not-stored'])

/** One prompt and the cache: what is there goes into the sequence, what is new comes out of it. */
export class CachedPrompt {
  readonly #prompt: PromptOf
  /** Said before the session begins: afterwards this prompt itself is one that was seen. */
  readonly #explanation: KvExplanation | undefined
  readonly #session: Session | undefined
  /** How long it took to ask. */
  #lookupMs = 0
  readonly #leave: () => void

  private constructor(prompt: PromptOf, { explanation, session, leave = () => {} }: Asked) {
    this.#prompt = prompt
    this.#explanation = explanation
    this.#session = session
    this.#leave = leave
  }

  /** Begins the request; from here on no capture starts in the context. `cache: false` knows nothing else of the cache. */
  static async open(connector: Connector, prompt: PromptOf): Promise<CachedPrompt> {
    if (prompt.cache === false) return new CachedPrompt(prompt, { leave: connector.enter() })
    await connector.ready()
    const { tokens, tenant, exact } = prompt
    const started = performance.now()
    const explanation = connector.explain(tokens, { tenant, exact, ownOnly: true })
    const opened = new CachedPrompt(prompt, { explanation, session: connector.open(tokens, { tenant, exact }) })
    opened.#lookupMs = performance.now() - started
    return opened
  }

  /** Whose tokens the sequence holds from now on. */
  get leavesTo(): string | undefined {
    return this.#prompt.cache === false ? undefined : ownerOf(this.#prompt)
  }

  /** Whose tokens it may go on from; nobody's where it wants all computed, or computed as without a cache. */
  get takesFrom(): string | undefined {
    return this.#prompt.exact === true ? undefined : this.leavesTo
  }

  /** Makes the sequence hold the longest beginning of the prompt that can be had: what it has already, or what is cached. */
  async restore(seat: Seat): Promise<Restored> {
    const resident = residentTokens(seat, { tokens: this.#prompt.tokens, owner: this.takesFrom })
    const started = performance.now()
    const lookup = this.#session?.lookup({ residentTokens: resident })
    const lookupMs = this.#lookupMs + performance.now() - started
    if (lookup?.decision === 'load') return { ...(await this.#load(seat.sequence, lookup)), lookupMs }
    return { ...(await this.#keep(seat.sequence, resident, lookup)), lookupMs }
  }

  async #load(sequence: LlamaContextSequence, lookup: KvLookup): Promise<Omit<Restored, 'lookupMs'>> {
    await sequence.clearHistory()
    const { exact, signal } = this.#prompt
    const loaded = await this.#session!.load(sequence, { signal })
    return {
      tokens: loaded.tokens,
      spans: loaded.spans.map(({ tier, tokens }) => ({ source: tier, tokens })),
      cuts: exact === true ? loaded.cuts : undefined,
      restoreMs: loaded.ms,
      savedMs: loaded.savedMs,
      missReason: this.#missReason(loaded.tokens, lookup),
    }
  }

  /** What the sequence holds of the prompt stays; everything behind it goes. */
  async #keep(
    sequence: LlamaContextSequence,
    resident: number,
    lookup: KvLookup | undefined,
  ): Promise<Omit<Restored, 'lookupMs'>> {
    if (resident === 0) await sequence.clearHistory()
    else await sequence.eraseContextTokenRanges([{ start: resident, end: sequence.nextTokenIndex }])
    const kept = Math.min(resident, sequence.nextTokenIndex)
    const missReason = lookup === undefined ? 'The request asked for no cache.' : this.#missReason(kept, lookup)
    const spans: PromptSpan[] = kept === 0 ? [] : [{ source: 'device', tokens: kept }]
    return { tokens: kept, spans, cuts: undefined, restoreMs: 0, savedMs: 0, missReason }
  }

  /** Empty when all that can be cached was there. */
  #missReason(restored: number, { cachedTokens, decision, reason }: KvLookup): string {
    const explanation = this.#explanation!
    if (decision === 'load' && restored < cachedTokens)
      return 'Blocks were damaged or could not be read: computed again.'
    if (restored < cachedTokens) return `${cachedTokens} tokens are cached, but loading them does not pay (${reason}).`
    // The sequence gave what the cache has not, or not yet.
    if (restored > cachedTokens && LOST.has(explanation.reason)) return ''
    return explanation.reason === 'hit' ? '' : explanation.message
  }

  /** The engine evaluated so many tokens of the prompt. */
  prefilled(prefilled: Prefilled): void {
    this.#session?.prefilled(prefilled)
  }

  /** The prompt is in the sequence: it is captured now if that is short and in nobody's way, so that a crash does not lose it. */
  captureEarly({ sequence }: Seat): void {
    this.#session?.capture({ early: true }, sequence)
  }

  /** All that the sequence holds, answer included, is captured when the context is idle. */
  capture({ sequence }: Seat, how?: Pick<CaptureRange, 'complete'>): void {
    this.#session?.capture({ tokens: Uint32Array.from(sequence.contextTokens), ...how }, sequence)
  }

  /** Resolves when what is new is captured, or will not be; undefined without a cache. Rejects with the signal's reason; the capture goes on. */
  async captured(signal?: AbortSignal): Promise<CaptureReport | undefined> {
    return this.#session?.captured({ signal })
  }

  /** Ends the request; captures go on. Idempotent. */
  async finish(): Promise<void> {
    this.#leave()
    await this.#session?.finish()
  }
}

/** Requests of one owner may find each other's tokens in a sequence. */
function ownerOf({ tenant }: Pick<PromptOf, 'tenant'>): string {
  return tenant ?? ''
}
