import { TIER_NAMES, type TierName } from '@kvbm/core'
import { RateBySize } from './rate-by-size.js'
import { type TierTokens, totalTokens } from './tier-tokens.js'

export interface LoadQuestion {
  readonly promptTokens: number
  /** Cached tokens by tier. */
  readonly byTier: TierTokens
  /** Tokens of the prompt that are in the engine already. */
  readonly residentTokens: number
  readonly pageSize: number
}

/** What loading and computing would take, in milliseconds. */
export interface LoadEstimate {
  /** Milliseconds; undefined until the first restore, or prefill, was measured. */
  readonly restoreMs: number | undefined
  /** What evaluating the tokens takes that a restore would spare. */
  readonly recomputeMs: number | undefined
}

/** Why to load, or not to. The names are API: reports, metrics and docs use them. */
export type LoadReason =
  | 'faster'
  | 'not-measured'
  | 'probe'
  | 'nothing-cached'
  | 'too-short'
  | 'resident'
  | 'slower'
  | 'failing'

export interface LoadDecision {
  readonly decision: 'load' | 'recompute'
  readonly reason: LoadReason
  readonly estimate: LoadEstimate
}

/** A restore must win by so much, because the estimates are rough. */
const MARGIN = 1.1
/** Below, the fixed cost of a restore is more than it spares. */
const BLOCKS_MIN = 2
/** Of so many decisions one is made the other way, so that what was learned in a bad moment can be unlearned. */
const PROBE_EVERY = 64
/** Loading is only doubted where it wins by less than this factor: doubting a clear winner would cost more than it teaches. */
const DOUBT_BELOW = 4
/** After so many failures in a row loading waits for its probe. */
const FAILURES_MAX = 3

/** Load cached blocks or compute them again: decided by what both took lately. */
export class LoadPolicy {
  readonly #prefill = new RateBySize()
  readonly #restore: Readonly<Record<TierName, RateBySize>> = {
    device: new RateBySize(),
    host: new RateBySize(),
    disk: new RateBySize(),
  }
  #decisions = 0
  #failures = 0

  /** `tokens` were evaluated in `ms`. */
  prefilled(tokens: number, ms: number): void {
    this.#prefill.learn(tokens, ms)
  }

  /** Blocks of these tokens were put into the engine in `ms`. */
  restored(byTier: TierTokens, ms: number): void {
    this.#failures = 0
    const tokens = totalTokens(byTier)
    const expected = this.#restoreMs(byTier) ?? 0
    for (const tier of TIER_NAMES) {
      if (byTier[tier] === 0) continue
      const own = this.#restore[tier].estimate(tokens)
      // Of a restore from several tiers only the sum is known: each one's share is scaled alike.
      const ms1 = own === undefined || expected === 0 ? ms : (own * ms) / expected
      this.#restore[tier].learn(tokens, ms1)
    }
  }

  /** A restore gave nothing. */
  failed(): void {
    this.#failures++
  }

  estimate(question: LoadQuestion): LoadEstimate {
    return { restoreMs: this.#restoreMs(question.byTier), recomputeMs: this.#recomputeMs(question) }
  }

  decide(question: LoadQuestion): LoadDecision {
    const estimate = this.estimate(question)
    const reason = this.#reason(question, estimate)
    return { decision: LOADS.has(reason) ? 'load' : 'recompute', reason, estimate }
  }

  #reason({ byTier, residentTokens, pageSize }: LoadQuestion, { restoreMs, recomputeMs }: LoadEstimate): LoadReason {
    const tokens = totalTokens(byTier)
    if (tokens === 0) return 'nothing-cached'
    if (tokens <= residentTokens) return 'resident'
    if (tokens < BLOCKS_MIN * pageSize) return 'too-short'
    const probing = ++this.#decisions % PROBE_EVERY === 0
    if (this.#failures >= FAILURES_MAX) return probing ? 'probe' : 'failing'
    if (restoreMs === undefined || recomputeMs === undefined) return 'not-measured'
    if (restoreMs * MARGIN >= recomputeMs) return probing ? 'probe' : 'slower'
    return probing && restoreMs * DOUBT_BELOW > recomputeMs ? 'slower' : 'faster'
  }

  #recomputeMs({ promptTokens, byTier, residentTokens }: LoadQuestion): number | undefined {
    const without = this.#prefill.estimate(promptTokens - residentTokens)
    const tail = this.#prefill.estimate(Math.max(0, promptTokens - totalTokens(byTier)))
    return without === undefined || tail === undefined ? undefined : Math.max(0, without - tail)
  }

  /** Undefined as long as a tier that takes part was never measured. */
  #restoreMs(byTier: TierTokens): number | undefined {
    const tokens = totalTokens(byTier)
    let ms = 0
    for (const tier of TIER_NAMES) {
      if (byTier[tier] === 0) continue
      const whole = this.#restore[tier].estimate(tokens)
      if (whole === undefined) return undefined
      ms += (whole * byTier[tier]) / tokens
    }
    return ms
  }
}

const LOADS: ReadonlySet<LoadReason> = new Set(['faster', 'not-measured', 'probe'])
