import type { BlockHashes } from '@kvbm/core'
import type { Lease, Manager } from '@kvbm/manager'
import { BlockSource } from './block-source.js'
import type { Activity } from './capture-scheduler.js'
import type { ConnectorParts } from './connector-parts.js'
import type { DeclineReason } from './engine-driver.js'
import { coldCuts, exactPrefix } from './exact-prefix.js'
import { usableTokens } from './explain.js'
import type { LoadDecision, LoadEstimate } from './load-policy.js'
import { SessionCaptures } from './session-captures.js'
import type {
  CapturedOptions,
  CaptureRange,
  CaptureReport,
  KvLookup,
  Loaded,
  LoadOptions,
  LookupOptions,
  Prefilled,
  SessionOptions,
  SessionReport,
} from './session-types.js'
import { NO_TOKENS, type TierTokens, tierSpans, tierTokens, totalTokens } from './tier-tokens.js'
import { unlessClosed } from './unless-closed.js'
import { orAborted } from './wait-for.js'

const NO_ESTIMATE: LoadEstimate = Object.freeze({ restoreMs: undefined, recomputeMs: undefined })

/**
 * One request: what is cached of its prompt, into the slot, and what is new out of it. Every call is valid in every state: before
 * `lookup`, after `finish`, twice, after the cache is closed, with an engine that cannot be cached. Then it does the harmless thing.
 */
export class KvSession<Slot> {
  readonly #parts: ConnectorParts<Slot>
  readonly #tokens: Uint32Array
  readonly #tenant: string | undefined
  readonly #exact: boolean
  readonly #activity: Activity
  readonly #letGo: () => void
  readonly #captures: SessionCaptures<Slot>
  readonly #signal: AbortSignal | undefined
  readonly #abandoned = new AbortController()
  #lease: Lease | undefined
  #lookup: KvLookup | undefined
  #residentTokens = 0
  #loading: Promise<Loaded> | undefined
  #loaded: Loaded | undefined
  #prefillMs = 0
  #declined: DeclineReason | undefined
  #finished: Promise<SessionReport> | undefined

  /** Made by `KvConnector.open`. */
  constructor(parts: ConnectorParts<Slot>, tokens: Uint32Array, { tenant, exact = false, signal }: SessionOptions) {
    const salt = parts.saltOf({ tenant, exact })
    this.#parts = parts
    this.#tokens = tokens.slice()
    this.#tenant = tenant
    this.#exact = exact
    this.#activity = parts.scheduler.begin()
    this.#letGo = parts.store.retain()
    const seen = parts.store.memory.remember(salt, this.#tokens)
    const decline = (reason: DeclineReason): void => this.#decline(reason)
    this.#captures = new SessionCaptures({ parts, tenant, exact, prompt: this.#tokens, seen, decline })
    this.#signal = signal
    parts.sessions.add(this)
    parts.counters.requests++
    parts.counters.requestedTokens += tokens.length
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (signal?.aborted) this.#onAbort()
  }

  /** What is cached, pinned until `finish`. Synchronous. The same answer when asked again, unless the cache was not open yet. */
  lookup({ residentTokens = 0 }: LookupOptions = {}): KvLookup {
    if (this.#finished !== undefined) return this.#lookup ?? nothing('not-looked-up')
    if (this.#lookup !== undefined && this.#lookup.reason !== 'not-ready') return this.#lookup
    this.#lookup = this.#supported() ? this.#find(residentTokens) : nothing('declined')
    return this.#lookup
  }

  /**
   * Puts what is cached into an empty slot (of an engine that can append: after what it holds), if that pays. Resolves with what is
   * really resident: perhaps less than `lookup` said, never wrong. A second call gives the first one's result.
   */
  load(slot: Slot, options: LoadOptions = {}): Promise<Loaded> {
    this.#loading ??= this.#finished === undefined ? this.#load(slot, options) : Promise.resolve(this.#nothingLoaded(0))
    return this.#loading
  }

  /** The rest of the prompt is in the engine: what the averages learn from. May be told in parts. */
  prefilled({ tokens, ms }: Prefilled): void {
    if (this.#finished !== undefined) return
    this.#activity.decoding()
    this.#captures.prefilled({ alone: this.#activity.wasAlone() })
    this.#prefillMs += ms
    this.#parts.policy.prefilled(tokens, ms)
  }

  /** Positions of the slot's tokens were moved: nothing more of it can be named by its prefix, so nothing more is captured. */
  contextShifted(): void {
    this.#captures.contextShifted()
  }

  /** Copies full blocks that are new to the cache out of the slot, in the background. Returns at once; call it before `finish`. */
  capture(range: CaptureRange, slot: Slot): void {
    if (this.#finished === undefined && this.#supported()) this.#captures.offer(range, slot)
  }

  /** Resolves with what became of the captures when none of them waits or runs. Rejects with the signal's reason; they go on then. */
  captured({ signal }: CapturedOptions = {}): Promise<CaptureReport> {
    return orAborted(this.#captures.settled(), signal)
  }

  /** Ends the request. Does not wait for captures. A second call gives the same report. */
  finish(): Promise<SessionReport> {
    this.#finished ??= this.#finish()
    return this.#finished
  }

  /** Ends the request from the side of the cache: a load that runs is aborted and is a miss. */
  async abandon(): Promise<void> {
    this.#abandoned.abort()
    await this.finish()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.finish()
  }

  readonly #onAbort = (): void => void this.finish()

  // ── Looking up ──────────────────────────────────────────────────────────

  #find(residentTokens: number): KvLookup {
    const { store, policy, pageSize } = this.#parts
    const manager = store.manager
    this.#residentTokens = residentTokens
    if (manager === undefined) {
      void this.#parts.ready()
      return nothing('not-ready')
    }
    this.#lease = this.#match(manager)
    const cachedTokens = this.#usable(this.#lease?.tokens ?? 0)
    const byTier = this.#lease === undefined ? NO_TOKENS : tierTokens(this.#lease, cachedTokens)
    const decided = policy.decide({ promptTokens: this.#tokens.length, byTier, residentTokens, pageSize })
    return this.#decided({ cachedTokens, byTier, ...decided })
  }

  #decided(lookup: KvLookup & LoadDecision): KvLookup {
    this.#parts.counters.decided(lookup.reason)
    if (lookup.decision === 'recompute') this.#releaseLease()
    return lookup
  }

  #match(manager: Manager): Lease | undefined {
    const { pageSize } = this.#parts
    const blocks = usableTokens(this.#tokens.length, pageSize) / pageSize
    return unlessClosed(() => manager.match(this.#hashes(manager, this.#tokens).subarray(0, blocks)))
  }

  #hashes(manager: Manager, tokens: Uint32Array): BlockHashes {
    return manager.hash(tokens, this.#parts.saltOptions({ tenant: this.#tenant, exact: this.#exact }))
  }

  /** How many of the cached tokens may be used. */
  #usable(cachedTokens: number): number {
    return this.#exact ? exactPrefix(cachedTokens, this.#tokens.length, this.#parts.exactRule) : cachedTokens
  }

  #supported(): boolean {
    const support = this.#parts.driver.supports()
    if (support.ok) return true
    this.#decline(support.reason)
    return false
  }

  #decline(reason: DeclineReason): void {
    if (this.#declined === undefined) this.#parts.counters.declined(reason)
    this.#declined = reason
  }

  // ── Loading ─────────────────────────────────────────────────────────────

  async #load(slot: Slot, { deadlineMs, signal }: LoadOptions): Promise<Loaded> {
    const started = this.#parts.clock.now()
    const own = [signal, this.#signal].filter((one) => one !== undefined)
    const asked = AbortSignal.any(own)
    asked.throwIfAborted()
    const gaveUp = new AbortController()
    const stop = AbortSignal.any([gaveUp.signal, this.#abandoned.signal, asked])
    const cancelTimer = deadlineMs === undefined ? undefined : this.#parts.clock.after(deadlineMs, () => gaveUp.abort())
    try {
      await this.#untilReady(stop)
      const { decision, byTier } = this.lookup()
      if (decision === 'recompute' || this.#lease === undefined) return this.#nothingLoaded(0)
      return await this.#restore(slot, this.#lease, byTier, stop, started)
    } catch (error) {
      return this.#failed(error, asked, started)
    } finally {
      cancelTimer?.()
      this.#releaseAfterLoad()
    }
  }

  async #untilReady(signal: AbortSignal): Promise<void> {
    if (this.lookup().reason === 'not-ready') await orAborted(this.#parts.ready(), signal)
  }

  async #restore(slot: Slot, lease: Lease, byTier: TierTokens, signal: AbortSignal, started: number): Promise<Loaded> {
    const { driver, pageSize, store, scratch, policy, counters, clock } = this.#parts
    const manager = store.manager
    if (manager === undefined) return this.#nothingLoaded(0)
    const count = totalTokens(byTier) / pageSize
    const usable = (sound: number): number => this.#usable(sound * pageSize) / pageSize
    const blocks = new BlockSource({ gather: manager.gather(lease, { signal }), scratch, count, usable })
    const tokens = await driver.restore({ slot, tokens: this.#tokens.slice(0, count * pageSize), blocks, signal })
    const ms = clock.now() - started
    if (tokens === 0) return this.#failed(undefined, undefined, started)
    const places = placesOf(lease, tokens)
    const savedMs = this.#savedMs(places.byTier, ms)
    policy.restored(places.byTier, ms)
    counters.hit(places.byTier, ms)
    counters.savedMs += savedMs
    this.#loaded = { tokens, ms, savedMs, ...places, cuts: this.#cuts(tokens) }
    return this.#loaded
  }

  #savedMs(byTier: TierTokens, restoreMs: number): number {
    const { policy, pageSize } = this.#parts
    const question = { promptTokens: this.#tokens.length, byTier, residentTokens: this.#residentTokens, pageSize }
    return Math.max(0, (policy.estimate(question).recomputeMs ?? 0) - restoreMs)
  }

  /** An abort of the caller's rejects; everything else, a deadline too, is a miss. */
  #failed(error: unknown, signal: AbortSignal | undefined, started: number): Loaded {
    if (signal?.aborted) throw signal.reason
    const { policy, counters, logger, clock } = this.#parts
    policy.failed()
    counters.restoresFailed++
    if (error !== undefined && !isAbort(error))
      logger.warn(`Restoring failed, the prompt is computed: ${String(error)}`)
    return this.#nothingLoaded(clock.now() - started)
  }

  #nothingLoaded(ms: number): Loaded {
    return { tokens: 0, ms, savedMs: 0, byTier: NO_TOKENS, spans: [], cuts: this.#cuts(0) }
  }

  #cuts(from: number): number[] {
    const { batchTokens } = this.#parts.exactRule
    return this.#exact ? coldCuts(from, this.#tokens.length, batchTokens) : [this.#tokens.length]
  }

  /** What came from disk is held for promotion: not before the request has ended, since copies would take time from its answer. */
  #releaseAfterLoad(): void {
    if (!this.#cameFromDisk) this.#releaseLease()
  }

  get #cameFromDisk(): boolean {
    return (this.#loaded?.byTier.disk ?? 0) > 0
  }

  /** Blocks that came from disk go up in the background, so that the next hit is faster: not while the cache closes. */
  #promoteOrRelease(): void {
    const lease = this.#lease
    this.#lease = undefined
    const promotes = this.#cameFromDisk && !this.#abandoned.signal.aborted
    if (lease !== undefined && promotes) this.#parts.store.promote(lease)
    else lease?.release()
  }

  #releaseLease(): void {
    this.#lease?.release()
    this.#lease = undefined
  }

  // ── Ending ──────────────────────────────────────────────────────────────

  async #finish(): Promise<SessionReport> {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    if (this.#loading !== undefined) await this.#loading.catch(() => undefined)
    this.#activity.end()
    this.#promoteOrRelease()
    this.#letGo()
    this.#parts.sessions.delete(this)
    return this.#report()
  }

  #report(): SessionReport {
    const { decision, reason } = this.#lookup ?? nothing('not-looked-up')
    return {
      promptTokens: this.#tokens.length,
      cachedTokens: this.#loaded?.tokens ?? 0,
      byTier: this.#loaded?.byTier ?? NO_TOKENS,
      restoreMs: this.#loaded?.ms ?? 0,
      prefillMs: this.#prefillMs,
      savedMs: this.#loaded?.savedMs ?? 0,
      decision,
      reason,
      capture: this.#captures.report,
      ...(this.#declined === undefined ? {} : { declined: this.#declined }),
    }
  }
}

function nothing(reason: KvLookup['reason']): KvLookup {
  return { cachedTokens: 0, byTier: NO_TOKENS, estimate: NO_ESTIMATE, decision: 'recompute', reason }
}

function placesOf(lease: Lease, tokens: number): Pick<Loaded, 'byTier' | 'spans'> {
  return { byTier: tierTokens(lease, tokens), spans: tierSpans(lease, tokens) }
}

function isAbort(error: unknown): boolean {
  return (error as { name?: unknown } | undefined)?.name === 'AbortError'
}
