import { modelSalt } from '@kvbm/config'
import { KvbmError, type Logger } from '@kvbm/core'
import type { Manager, SaltOptions } from '@kvbm/manager'
import { CaptureScheduler } from './capture-scheduler.js'
import { checkTenant } from './check-tenant.js'
import type { Clock } from './clock.js'
import type { ConnectorParts, PromptSalt } from './connector-parts.js'
import type { ConnectorCounters } from './counters.js'
import type { KvEngineDriver, KvSupport } from './engine-driver.js'
import { explainHit, type KvExplanation, usableTokens } from './explain.js'
import { LoadPolicy } from './load-policy.js'
import type { ModelStatus, ModelStore } from './model-store.js'
import type { ScratchPool } from './scratch-pool.js'
import { KvSession } from './session.js'
import type { SessionOptions } from './session-types.js'
import { NO_TOKENS, type TierTokens, tierTokens } from './tier-tokens.js'
import { unlessClosed } from './unless-closed.js'
import { settlesWithin } from './wait-for.js'
import { type Warmed, warmPrefix } from './warm.js'

/** How one engine context is connected. */
export interface ConnectOptions {
  /** Capture blocks of answers too, so that a chat goes on from them. Default true. */
  readonly generated?: boolean | undefined
  /** Captures that may wait for an idle moment. Default 16. */
  readonly capturesMax?: number | undefined
  /** Text of tokens, so that `explain` can show where a prompt differs. */
  readonly detokenize?: ((tokens: Uint32Array) => string) | undefined
}

/** Who asks. */
export interface PromptOptions {
  readonly tenant?: string | undefined
  readonly exact?: boolean | undefined
}

/** Whose prefix is brought up, and until when. */
export interface WarmOptions extends PromptOptions {
  readonly signal?: AbortSignal | undefined
}

/** Whose prompt is explained, and how much may be said. */
export interface ExplainOptions extends PromptOptions {
  /** Says nothing that other tenants' prompts would tell: no `foreign-salt`. For servers. Default false. */
  readonly ownOnly?: boolean | undefined
}

/** Plain JSON: how one engine context fares. */
export interface ConnectorStatus {
  readonly model: ModelStatus
  readonly support: KvSupport
  readonly captures: {
    readonly pending: number
    readonly running: boolean
    readonly postponed: number
    /** Learned; absent before the first capture. */
    readonly msPerMb?: number
  }
}

export interface KvConnectorOptions<Slot> extends ConnectOptions {
  readonly driver: KvEngineDriver<Slot>
  readonly store: ModelStore
  readonly counters: ConnectorCounters
  readonly scratch: ScratchPool
  readonly clock: Clock
  readonly logger: Logger
  readonly maxStallMs: number
  readonly ensure: (store: ModelStore) => Promise<Manager | undefined>
  /** Called once when it is closed. */
  readonly closed: () => void
}

/** How long `close` waits for captures. */
const DRAIN_MS = 10_000

/** One engine context and its cache. Made by `KvCache.connect`; sessions are its requests. */
export class KvConnector<Slot> {
  readonly #parts: ConnectorParts<Slot>
  readonly #detokenize: ConnectOptions['detokenize']
  readonly #closed: () => void
  #closing: Promise<void> | undefined

  /** Made by `KvCache.connect`. */
  constructor(options: KvConnectorOptions<Slot>) {
    const { driver, store, clock, maxStallMs, capturesMax, counters, scratch, logger, generated = true } = options
    const { minTailForExact = 0, batchTokens = Number.MAX_SAFE_INTEGER } = driver.capabilities
    const { pageSize } = driver.geometry
    this.#detokenize = options.detokenize
    this.#closed = options.closed
    this.#parts = {
      driver,
      store,
      clock,
      counters,
      scratch,
      sessions: new Set(),
      logger,
      generated,
      pageSize,
      policy: new LoadPolicy(),
      scheduler: new CaptureScheduler({
        clock,
        maxStallMs,
        ...(capturesMax === undefined ? {} : { pendingMax: capturesMax }),
      }),
      exactRule: { pageSize, minRows: minTailForExact, batchTokens },
      ready: () => options.ensure(store),
      saltOptions: (salt) => this.#saltOptions(salt),
      saltOf: (salt) => modelSalt(store.model, this.#saltOptions(salt)),
    }
    // Throws for adapters that would isolate nothing.
    this.#parts.saltOf({ tenant: undefined, exact: false })
  }

  /** Opens the cache of this model ahead, so that the next `lookup` can see it. False: requests run without cache. Never rejects. */
  async ready(): Promise<boolean> {
    return (await this.#parts.ready()) !== undefined
  }

  /**
   * Begins a request. Synchronous. `finish` the session: until then no capture starts in this context. Throws `TypeError` for a tenant
   * that is no string, as `warm` and `explain` do.
   */
  open(tokens: Uint32Array, options: SessionOptions = {}): KvSession<Slot> {
    checkTenant(options.tenant)
    return new KvSession(this.#parts, tokens, options)
  }

  /** Begins a request that uses no cache: only that no capture starts in this context until it ends. Synchronous; returns how to end it. */
  enter(): () => void {
    const { scheduler, sessions } = this.#parts
    const activity = scheduler.begin()
    activity.decoding()
    const guest = { abandon: async () => leave() }
    const leave = (): void => {
      sessions.delete(guest)
      activity.end()
    }
    sessions.add(guest)
    return leave
  }

  /** Brings what is cached of a prefix from disk up to host memory ahead, and to disk what is not there yet. Never computes. */
  async warm(tokens: Uint32Array, { tenant, exact = false, signal }: WarmOptions = {}): Promise<Warmed> {
    checkTenant(tenant)
    const letGo = this.#parts.store.retain()
    try {
      const manager = await this.#parts.ready()
      if (manager === undefined) return { tokens: 0, fromDisk: 0, persisted: 0 }
      return await warmPrefix(manager, manager.hash(tokens, this.#saltOptions({ tenant, exact })), signal)
    } catch (error) {
      if (!KvbmError.is(error)) throw error
      this.#parts.logger.warn(`Warming failed: ${error.message}`)
      return { tokens: 0, fromDisk: 0, persisted: 0 }
    } finally {
      letGo()
    }
  }

  /** Why a prompt would hit or miss now, in this tenant. Looks at prompts seen lately. Synchronous; changes nothing. */
  explain(tokens: Uint32Array, { tenant, exact = false, ownOnly = false }: ExplainOptions = {}): KvExplanation {
    const { driver, store, pageSize, saltOf } = this.#parts
    checkTenant(tenant)
    const support = driver.supports()
    const base = { promptTokens: tokens.length, cachedTokens: 0, byTier: NO_TOKENS }
    if (!support.ok) return { ...base, reason: 'declined', message: support.detail, declined: support.reason }
    if (store.manager === undefined)
      return { ...base, reason: 'off', message: store.reason || 'The cache is not open yet.' }
    const byTier = this.#cached(store.manager, tokens, { tenant, exact })
    const salt = saltOf({ tenant, exact })
    return explainHit({ tokens, salt, pageSize, byTier, memory: store.memory, detokenize: this.#detokenize, ownOnly })
  }

  status(): ConnectorStatus {
    const { store, driver, scheduler } = this.#parts
    const { msPerMb } = scheduler.estimate
    const { pending, running, postponed } = scheduler
    const captures = { pending, running, postponed, ...(msPerMb === undefined ? {} : { msPerMb }) }
    return { model: store.status(), support: driver.supports(), captures }
  }

  /**
   * Resolves when no capture waits or runs in this context. Those that wait begin when no request is open, however long they take: finish
   * your own first.
   */
  settled(): Promise<void> {
    return this.#parts.scheduler.settled()
  }

  /**
   * Call it before the engine's context goes: ends open sessions, runs captures that wait, drops what takes longer than ten seconds, but
   * waits for a save that runs in the engine. Idempotent; a second caller awaits the first.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { scheduler, clock, sessions, logger, driver } = this.#parts
    const ended = Promise.all([...sessions].map((session) => session.abandon()))
    const settled = ended.then(() => scheduler.settled())
    if (!(await settlesWithin(clock, DRAIN_MS, settled)))
      logger.warn(`${driver.identity.name}: captures were not done after ${DRAIN_MS} ms: one that saves is waited for.`)
    await scheduler.close()
    this.#closed()
  }

  #saltOptions({ tenant, exact }: PromptSalt): SaltOptions {
    const { loras } = this.#parts.driver.identity
    return { loras, ...(tenant === undefined ? {} : { tenant }), ...(exact ? { flags: ['exact'] } : {}) }
  }

  #cached(manager: Manager, tokens: Uint32Array, salt: PromptSalt): TierTokens {
    const { pageSize } = this.#parts
    const blocks = usableTokens(tokens.length, pageSize) / pageSize
    const hashes = manager.hash(tokens, this.#saltOptions(salt)).subarray(0, blocks)
    const lease = unlessClosed(() => manager.match(hashes))
    if (lease === undefined) return NO_TOKENS
    const byTier = tierTokens(lease, lease.tokens)
    lease.release()
    return byTier
  }
}
