import { modelSalt, type ResolvedConfig, type SaltOptions } from '@kvbm/config'
import {
  type BlockGather,
  type BlockHashes,
  type BlockScatter,
  type BlockShape,
  blockBytes,
  ClosedError,
  checkWait,
  type DisposeStack,
  KvbmError,
  type Logger,
  TIER_NAMES,
  type TierName,
} from '@kvbm/core'
import type { ImmutableBlocks, MutableBlocks } from '@kvbm/pool'
import { BlockIo } from './block-io.js'
import type { Counters } from './counters.js'
import type { DiskRole } from './disk-role.js'
import type { EventHub } from './event-hub.js'
import { BlocksScatter, type HandOverOptions, LeaseGather } from './hand-over.js'
import { expectLease, type Lease } from './lease.js'
import type { ManagerEvent, ManagerEventListener } from './manager-event.js'
import { matchTiers } from './matcher.js'
import type { OffloadQueue } from './offload-queue.js'
import { type OffloadReport, OffloadRun, type OffloadTools } from './offload-run.js'
import { Onboarder } from './onboarder.js'
import { patiently, type WaitOptions, within } from './patience.js'
import type { RemoteStatus } from './remote.js'
import type { ManagerSettings } from './settings.js'
import { edgeStatuses, type ManagerStatus, tierStatus } from './status.js'
import { Tier } from './tier.js'
import type { TierMap } from './tier-map.js'
import type { TierStore } from './tier-store.js'

/** Where to, and how long the caller waits. */
export interface OffloadOptions extends WaitOptions {
  /** Default: the next tier below. */
  readonly to?: TierName
}

/** Where to, and how long the caller waits. */
export interface OnboardOptions extends WaitOptions {
  /** Default: the fastest tier. */
  readonly to?: TierName
}

/** Where the bytes go, and how long the caller waits. */
export interface ReadOptions extends WaitOptions {
  /** `blocks.count × blockBytes` bytes to read into. Default: new memory. After a rejection a copy may still write into it. */
  readonly into?: Uint8Array
}

/** What `openManager` builds. */
export interface Parts extends HandOverOptions, OffloadTools {
  readonly config: ResolvedConfig
  readonly settings: ManagerSettings
  readonly logger: Logger
  readonly shape: BlockShape
  readonly tiers: TierMap
  /** Only where the disk tier is read beside another process. */
  readonly role: DiskRole | undefined
  /** Configured tiers that could not be opened safely, with the reason. */
  readonly off: ReadonlyMap<TierName, string>
  readonly queues: readonly OffloadQueue[]
  readonly counters: Counters
  readonly events: EventHub
  readonly remote: RemoteStatus
  readonly hash: (tokens: Uint32Array | readonly number[], salt: string) => BlockHashes
  /** Aborted when the manager closes. */
  readonly closing: AbortController
  /** What ties the manager to the outside: metrics, the signal of the configuration. */
  readonly ties: DisposeStack
  readonly owned: DisposeStack
}

/** The blocks of one model over the tiers of one machine. Made by `KvBlockManager.create`. */
export class Manager {
  readonly #parts: Parts
  readonly #io: BlockIo
  readonly #onboarder: Onboarder
  readonly #tiers = new Map<TierName, Tier>()
  readonly #names: readonly TierName[]
  #state: ManagerStatus['state'] = 'open'
  #closed: Promise<void> | undefined

  constructor(parts: Parts) {
    this.#parts = parts
    this.#io = new BlockIo(parts)
    this.#onboarder = new Onboarder(parts)
    for (const name of parts.tiers.keys()) this.#tiers.set(name, this.#newTier(name))
    this.#names = Object.freeze([...parts.tiers.keys()])
  }

  /** The tiers that exist, fastest first. */
  get tiers(): readonly TierName[] {
    return this.#names
  }

  /** Throws `TypeError` where the configuration has no such layout; so do `host` and `disk`. */
  get device(): Tier<'device'> {
    return this.#tier('device')
  }

  get host(): Tier<'host'> {
    return this.#tier('host')
  }

  get disk(): Tier<'disk'> {
    return this.#tier('disk')
  }

  /** The fastest tier: where computed blocks begin. */
  get firstTier(): Tier {
    return this.#tier(this.#names[0]!)
  }

  /** Blocks that wait for background offload. Who produces faster than the slowest edge may wait for `settled()`. */
  get backlog(): number {
    return this.#parts.queues.reduce((sum, queue) => sum + queue.queued, 0)
  }

  /** Bytes of one block: layers × outer × page size × bytes of a row. */
  get blockBytes(): number {
    return blockBytes(this.#parts.shape)
  }

  /** The validated configuration. */
  get config(): ResolvedConfig {
    return this.#parts.config
  }

  /** Names of the prompt's full blocks, with the salt of model, tenant and adapters applied. */
  hash(tokens: Uint32Array | readonly number[], salt: SaltOptions = {}): BlockHashes {
    return this.#parts.hash(tokens, modelSalt(this.#parts.config.model, salt))
  }

  /** The longest cached prefix over all tiers, pinned where it is fastest. Release the lease. */
  match(hashes: BlockHashes): Lease {
    this.#assertOpen()
    return matchTiers([...this.#parts.tiers.values()], hashes, this.#parts.counters)
  }

  /**
   * Fills blocks with `bytes`: `blocks.count × blockBytes`, canonical order (layer, outer, token, inner). After a rejection the
   * blocks may be written again or released; a copy that has begun goes on, and the next write of the same blocks waits for it.
   * Until then they get no name: `register` and `split` throw `RangeError`.
   */
  async write(blocks: MutableBlocks, bytes: Uint8Array, wait: WaitOptions = {}): Promise<void> {
    this.#assertOpen()
    const store = this.#storeOf(blocks)
    await patiently('Writing blocks', wait, (signal) => this.#io.write(store, blocks, bytes, signal))
  }

  /**
   * Bytes of `blocks` in canonical order, checked against what is known about them. A damaged block ends the result early: it
   * holds `result.length ÷ blockBytes` sound blocks.
   */
  async read(blocks: ImmutableBlocks | MutableBlocks, options: ReadOptions = {}): Promise<Uint8Array> {
    this.#assertOpen()
    const store = this.#storeOf(blocks)
    return patiently('Reading blocks', options, (signal) => this.#io.read(store, blocks, options.into, signal))
  }

  /**
   * Zero-copy view of block `index` of a run in memory: one array, or the list of its parts in canonical order. It is good until
   * the handle is released, and empty after `close()`.
   */
  view(blocks: ImmutableBlocks | MutableBlocks, index: number): Uint8Array | readonly Uint8Array[] {
    this.#assertOpen()
    return this.#io.view(this.#storeOf(blocks), blocks, index)
  }

  /**
   * Blocks of a lease for an engine: pieces go from where each block is pinned straight into the engine's hand-over storage. After
   * a rejection a copy may still write into that storage.
   */
  gather(lease: Lease, wait: WaitOptions = {}): BlockGather {
    this.#assertOpen()
    expectLease(lease)
    return new LeaseGather({ lease, wait, storeOf: (run) => this.#storeOf(run.blocks) }, this.#parts)
  }

  /**
   * Fresh blocks of a memory tier, to be filled from an engine's hand-over storage, one call of `scatter` after the other. Register
   * them afterwards.
   */
  scatter(blocks: MutableBlocks): BlockScatter {
    this.#assertOpen()
    const store = this.#storeOf(blocks)
    if (!store.onDisk) return new BlocksScatter(store, blocks, this.#parts)
    throw new TypeError('scatter: disk blocks are not memory. Allocate in a memory tier; offload copies them down.')
  }

  /**
   * Names written blocks, in any tier. In memory this is `blocks.register(hashes)`; on disk it is the only way: the slot records
   * are written first, so that the names survive the process. A rejection leaves the handle valid. Rejects with `RangeError`
   * while the blocks are being written or registered.
   */
  async register(blocks: MutableBlocks, hashes: BlockHashes): Promise<ImmutableBlocks> {
    this.#assertOpen()
    const store = this.#storeOf(blocks)
    return store.onDisk ? this.#io.registerOnDisk(store, blocks, hashes) : blocks.register(hashes)
  }

  /**
   * Copies blocks down: copy, verify, then register there. Blocks without a place, or that a failing tier did not take, are
   * dropped, counted and reported. Rejects with the signal's reason, `DeadlineError` or `ClosedError`.
   */
  async offload(blocks: ImmutableBlocks, options: OffloadOptions = {}): Promise<OffloadReport> {
    this.#assertOpen()
    checkWait(options)
    expectNamed('offload', blocks)
    const from = this.#storeOf(blocks)
    const to = this.#below(from, options.to)
    return patiently(`Offloading ${blocks.count} blocks to ${to.name}`, options, (signal) =>
      new OffloadRun({ from, source: blocks, to, signal }, this.#parts).carryOut(),
    )
  }

  /**
   * Brings a lease up. Resolves with a second lease, on the longest prefix that could be made resident in the target tier: shorter
   * where that is full, a block is damaged, or a tier fails. Rejects with the signal's reason, `DeadlineError` or `ClosedError`.
   */
  async onboard(lease: Lease, options: OnboardOptions = {}): Promise<Lease> {
    this.#assertOpen()
    checkWait(options)
    expectLease(lease)
    for (const { blocks } of lease.runs) this.#storeOf(blocks)
    const to = this.#store(options.to ?? this.#names[0]!)
    if (to.onDisk && this.#names.length > 1)
      throw new TypeError('onboard: nothing is brought up to the disk tier. Use offload() to copy blocks down.')
    return patiently(`Onboarding ${lease.count} blocks to ${to.name}`, options, (signal) =>
      this.#onboarder.onboard(lease, to, signal),
    )
  }

  /** Resolves when no background offload waits or runs. */
  async settled(wait: WaitOptions = {}): Promise<void> {
    await within(this.#settled(), 'Background offload', wait)
  }

  /**
   * Everything an operator asks first, as plain JSON. Has the disk tier looked for, so that a directory that was removed while nothing
   * is written stands in the next status.
   */
  status(): ManagerStatus {
    const { config, counters, tiers, off, queues, transfers, remote, settings } = this.#parts
    if (this.#state === 'open') this.#lookAtTiers()
    return {
      state: this.#state,
      workerId: config.runtime.workerId,
      modelId: config.model.modelId,
      binding: transfers.runtime.binding.describe().kind,
      tiers: Object.fromEntries([...tiers].map(([name, store]) => [name, tierStatus(store)])),
      off: Object.fromEntries(off),
      edges: edgeStatuses(counters, queues),
      requested: counters.requested,
      matched: { ...counters.matched },
      corrupt: { ...counters.corrupt },
      transfers: {
        running: transfers.running,
        queued: transfers.runtime.stats().queued,
        abandoned: counters.abandoned,
      },
      nixl: { ...remote },
      settings: { ...settings },
    }
  }

  /** Every event from this call on; ends when the signal aborts or the manager closes. */
  events(
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncIterableIterator<ManagerEvent, undefined> & AsyncDisposable {
    checkWait(options)
    return this.#parts.events.read(options.signal)
  }

  /** Calls `listener` synchronously for every event; returns the unsubscribe function. */
  onEvent(listener: ManagerEventListener): () => void {
    if (typeof listener !== 'function')
      throw new TypeError(`onEvent: expected a function that takes events, got ${typeof listener}`)
    return this.#parts.events.listen(listener)
  }

  /**
   * Refuses new work, drops what is queued, awaits copies in flight until a deadline, reports handles still held, frees. Memory
   * that a copy may still touch stays mapped until that copy ends. Idempotent; a second caller awaits the first.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { queues, events, closing, ties, settings } = this.#parts
    this.#state = 'closing'
    closing.abort(new ClosedError('manager'))
    for (const queue of queues) queue.close()
    const freed = this.#free()
    try {
      await ties.close()
      await within(freed, 'Closing the manager', { deadlineMs: settings.closeDeadlineMs })
    } catch (error) {
      if (!KvbmError.is(error, 'KVBM_DEADLINE')) throw error
      this.#leaveToLastCopy(freed)
    } finally {
      this.#state = 'closed'
      events.close()
    }
  }

  /** Frees everything once nothing uses it. */
  async #free(): Promise<void> {
    const { queues, transfers, owned } = this.#parts
    await Promise.all(queues.map((queue) => queue.idle()))
    await transfers.end()
    // Whoever waited for the last copies has a turn to let go of its handles.
    await new Promise(setImmediate)
    this.#reportHeld()
    await owned.close()
  }

  #reportHeld(): void {
    const { tiers, logger } = this.#parts
    for (const { name, pool } of tiers.all())
      if (pool.held > 0)
        logger.warn(
          `The manager closes while ${pool.held} ${name} blocks are held. Release handles and leases before close().`,
        )
  }

  #leaveToLastCopy(freed: Promise<void>): void {
    const { transfers, logger, settings } = this.#parts
    transfers.abandonAll()
    logger.warn(
      `${transfers.running} copies still run ${settings.closeDeadlineMs} ms after close(). What they touch is freed when they end.`,
    )
    freed.catch((error: unknown) => logger.error(`Closing late failed: ${String(error)}`))
  }

  #lookAtTiers(): void {
    const { tiers, health, closing } = this.#parts
    for (const tier of tiers.values()) void health.look(tier, closing.signal)
  }

  async #settled(): Promise<void> {
    const { queues } = this.#parts
    while (queues.some(({ running, queued }) => running + queued > 0))
      await Promise.all(queues.map((queue) => queue.idle()))
  }

  #newTier(name: TierName): Tier {
    const { tiers, closing, role } = this.#parts
    const look = name === 'disk' ? () => role?.look() : undefined
    return new Tier({ store: () => tiers.get(name)!, closing: closing.signal, look })
  }

  #tier<N extends TierName>(name: N): Tier<N> {
    const tier = this.#tiers.get(name) as Tier<N> | undefined
    if (tier === undefined) throw this.#missing(name)
    return tier
  }

  #store(name: TierName): TierStore<TierName> {
    const store = this.#parts.tiers.get(name)
    if (store === undefined) throw this.#missing(name)
    return store
  }

  #missing(name: TierName): TypeError {
    const why = this.#parts.off.get(name) ?? `its configuration has no ${name}Layout`
    return new TypeError(`This manager has no ${name} tier: ${why}. It has: ${this.#names.join(', ')}.`)
  }

  #below(from: TierStore<TierName>, name?: TierName): TierStore<TierName> {
    const next = name ?? this.#names[this.#names.indexOf(from.name) + 1]
    if (next === undefined)
      throw new TypeError(`offload: there is no tier below ${from.name}. This manager has: ${this.#names.join(', ')}.`)
    if (TIER_NAMES.indexOf(next) > TIER_NAMES.indexOf(from.name)) return this.#store(next)
    throw new TypeError(`offload: ${next} is not below ${from.name}. Use onboard() to bring blocks up.`)
  }

  /** The tier that a handle belongs to. */
  #storeOf(blocks: ImmutableBlocks | MutableBlocks): TierStore<TierName> {
    return this.#parts.tiers.storeOf(blocks)
  }

  #assertOpen(): void {
    this.#parts.closing.signal.throwIfAborted()
  }
}

function expectNamed(call: string, blocks: ImmutableBlocks): void {
  if (blocks !== undefined && 'register' in blocks)
    throw new TypeError(`${call}: these blocks have no names yet. Register them first.`)
}
