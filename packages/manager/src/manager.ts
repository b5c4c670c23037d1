import {
  type ConfigInput,
  KvBlockManagerConfig,
  modelSalt,
  modelShape,
  type ResolvedConfig,
  type StrictInput,
  type TiersOf,
} from '@kvbm/config'
import {
  type BlockGather,
  type BlockHashes,
  type BlockScatter,
  type BlockShape,
  blockBytes,
  ClosedError,
  DisposeStack,
  KvbmError,
  ShardingUnavailableError,
  TIER_NAMES,
  type TierName,
} from '@kvbm/core'
import type { ImmutableBlocks, MutableBlocks } from '@kvbm/pool'
import { createTransferRuntime, type NativeTransferRuntime } from '@kvbm/storage'
import { hashTokens, loadXxh3 } from '@kvbm/tokens'
import { BlockIo, tierOf } from './block-io.js'
import { Counters } from './counters.js'
import { EventHub, type ManagerEvent, type ManagerEventListener } from './event-hub.js'
import { BlocksScatter, LeaseGather } from './hand-over.js'
import type { Lease } from './lease.js'
import { matchTiers } from './matcher.js'
import { exposeMetrics } from './metrics.js'
import { Mover } from './mover.js'
import { OffloadQueue, type OffloadReport, offloadRun } from './offloader.js'
import { Onboarder } from './onboarder.js'
import { openStaging, openTier } from './open-tiers.js'
import { openRemote, type RemoteStatus } from './remote.js'
import { type ManagerSettings, resolveSettings } from './settings.js'
import { Staging } from './staging.js'
import { edgeStatuses, type ManagerStatus, tierStatus } from './status.js'
import { Tier, type TierStore } from './tier.js'
import { type WaitOptions, within } from './within.js'

/** What tells two equal prompts apart beside the model: their blocks must never match. */
export interface SaltOptions {
  readonly tenant?: string
  /** Names of LoRA adapters in use, order does not matter. */
  readonly loras?: readonly string[]
  /** Ways of computing that must not share blocks with the usual one, e.g. `exact`. */
  readonly flags?: readonly string[]
}

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

interface Parts {
  readonly config: ResolvedConfig
  readonly settings: ManagerSettings
  readonly shape: BlockShape
  readonly runtime: NativeTransferRuntime
  readonly stores: ReadonlyMap<TierName, TierStore>
  readonly queues: readonly OffloadQueue[]
  readonly staging: Staging
  readonly mover: Mover
  readonly counters: Counters
  readonly events: EventHub
  readonly remote: RemoteStatus
  readonly hash: (tokens: Uint32Array | readonly number[], salt: string) => BlockHashes
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
  #closing: Promise<void> | undefined

  constructor(parts: Parts) {
    this.#parts = parts
    this.#io = new BlockIo(parts)
    this.#onboarder = new Onboarder({ ...parts, tiers: parts.stores })
    for (const [name, store] of parts.stores) this.#tiers.set(name, new Tier(name, store))
    this.#names = Object.freeze([...parts.stores.keys()])
  }

  /** The tiers that exist, fastest first. */
  get tiers(): readonly TierName[] {
    return this.#names
  }

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
    return this.#tier(this.tiers[0]!)
  }

  /** Blocks that wait for background offload. A caller that produces faster than the slowest edge may wait for `settled()`. */
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
    return matchTiers([...this.#parts.stores.values()], hashes, this.#parts.counters)
  }

  /** Fills blocks with `bytes`: `blocks.count × blockBytes`, canonical order (layer, outer, token, inner). */
  async write(blocks: MutableBlocks, bytes: Uint8Array, wait: WaitOptions = {}): Promise<void> {
    this.#assertOpen()
    await this.#io.write(this.#storeOf(blocks), blocks, bytes, wait)
  }

  /**
   * Bytes of `blocks` in canonical order, checked against what is known about them. A damaged block ends the result early: it
   * holds `result.length ÷ blockBytes` sound blocks.
   */
  async read(
    blocks: ImmutableBlocks | MutableBlocks,
    options: WaitOptions & { readonly into?: Uint8Array } = {},
  ): Promise<Uint8Array> {
    this.#assertOpen()
    return this.#io.read(this.#storeOf(blocks), blocks, options.into, options)
  }

  /** Zero-copy view of block `index` of a run in memory: one array, or the list of its parts in canonical order. */
  view(blocks: ImmutableBlocks | MutableBlocks, index: number): Uint8Array | readonly Uint8Array[] {
    this.#assertOpen()
    return this.#io.view(this.#storeOf(blocks), blocks, index)
  }

  /** Blocks of a lease for an engine: pieces go from where each block is pinned straight into the engine's hand-over storage. */
  gather(lease: Lease, wait: WaitOptions = {}): BlockGather {
    this.#assertOpen()
    return new LeaseGather(lease, (run) => this.#storeOf(run.blocks), this.#parts, wait)
  }

  /** Fresh blocks of a memory tier, to be filled from an engine's hand-over storage. Register them afterwards. */
  scatter(blocks: MutableBlocks): BlockScatter {
    this.#assertOpen()
    const store = this.#storeOf(blocks)
    if (store.onDisk)
      throw new TypeError('scatter: disk blocks are not memory. Allocate in a memory tier; offload copies them down.')
    return new BlocksScatter(store, blocks, this.#parts.runtime)
  }

  /**
   * Names written blocks, in any tier. In memory this is `blocks.register(hashes)`; on disk the slot records are written first,
   * so that the names survive the process.
   */
  async register(blocks: MutableBlocks, hashes: BlockHashes): Promise<ImmutableBlocks> {
    this.#assertOpen()
    const store = this.#storeOf(blocks)
    return store.onDisk ? this.#io.registerOnDisk(store, blocks, hashes) : blocks.register(hashes)
  }

  /** Copies blocks down: copy, verify, then register there. Blocks without a place are dropped, counted and reported. */
  async offload(blocks: ImmutableBlocks, options: OffloadOptions = {}): Promise<OffloadReport> {
    this.#assertOpen()
    const from = this.#storeOf(blocks)
    const to = this.#target(options.to ?? this.#below(from.name as TierName), from, 'below')
    const { mover, counters, settings } = this.#parts
    return offloadRun({ from, source: blocks, to, mover, counters, batchMax: settings.transferBatchMax, wait: options })
  }

  /** Brings a lease up. Returns a second lease on the longest prefix that is resident in the target tier now. */
  async onboard(lease: Lease, options: OnboardOptions = {}): Promise<Lease> {
    this.#assertOpen()
    const to = this.#parts.stores.get(options.to ?? this.tiers[0]!)
    if (to === undefined) throw this.#missing(options.to!)
    return this.#onboarder.onboard(lease, to, options)
  }

  /** Resolves when no background offload waits or runs. */
  async settled(): Promise<void> {
    for (const queue of this.#parts.queues) await queue.idle()
    if (this.#parts.queues.some((queue) => queue.running + queue.queued > 0)) await this.settled()
  }

  /** Everything an operator asks first, as plain JSON. */
  status(): ManagerStatus {
    const { config, counters, stores, queues, mover, runtime, remote, settings } = this.#parts
    return {
      state: this.#state,
      workerId: config.runtime.workerId,
      modelId: config.model.modelId,
      binding: runtime.binding.describe().kind,
      tiers: Object.fromEntries([...stores].map(([name, store]) => [name, tierStatus(store)])),
      edges: edgeStatuses(counters, queues),
      requested: counters.requested,
      matched: { ...counters.matched },
      corrupt: { ...counters.corrupt },
      transfers: { running: mover.running, queued: runtime.stats().queued, abandoned: counters.abandoned },
      nixl: remote,
      settings: { ...settings },
    }
  }

  /** Every event from now on; ends when the signal aborts or the manager closes. */
  events(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<ManagerEvent, void, void> {
    return this.#parts.events.read(options.signal)
  }

  /** Calls `listener` synchronously for every event; returns the unsubscribe function. */
  onEvent(listener: ManagerEventListener): () => void {
    return this.#parts.events.listen(listener)
  }

  /**
   * Refuses new work, drops what is queued, awaits copies in flight until a deadline, reports handles still held, frees. Memory
   * that a copy may still touch stays mapped until that copy ends. Idempotent; a second caller awaits the first.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { queues, mover, events, owned, config, settings, counters } = this.#parts
    this.#state = 'closing'
    for (const queue of queues) queue.close()
    try {
      await within(mover.idle(), 'Closing the manager', { deadlineMs: settings.closeDeadlineMs })
      await owned.close()
    } catch (error) {
      if (!KvbmError.is(error, 'KVBM_DEADLINE')) throw error
      counters.abandoned += mover.running
      config.runtime.logger.warn(
        `${mover.running} copies still run after ${settings.closeDeadlineMs} ms; their memory is freed when they end.`,
      )
      void mover
        .idle()
        .then(() => owned.close())
        .catch((late) => config.runtime.logger.error(`Closing late failed: ${String(late)}`))
    } finally {
      this.#state = 'closed'
      events.close()
    }
  }

  #tier<N extends TierName>(name: N): Tier<N> {
    const tier = this.#tiers.get(name)
    if (tier === undefined) throw this.#missing(name)
    return tier as Tier<N>
  }

  #missing(name: TierName): TypeError {
    return new TypeError(
      `This manager has no ${name} tier: its configuration has no ${name}Layout. It has: ${this.tiers.join(', ')}.`,
    )
  }

  #below(name: TierName): TierName {
    const names = this.tiers
    const next = names[names.indexOf(name) + 1]
    if (next === undefined)
      throw new TypeError(`There is no tier below ${name}. This manager has: ${names.join(', ')}.`)
    return next
  }

  #target(name: TierName, from: TierStore, side: 'below'): TierStore {
    const to = this.#parts.stores.get(name)
    if (to === undefined) throw this.#missing(name)
    if (TIER_NAMES.indexOf(name) <= TIER_NAMES.indexOf(from.name as TierName))
      throw new TypeError(`offload: ${name} is not ${side} ${from.name}. Use onboard() to bring blocks up.`)
    return to
  }

  #storeOf(blocks: ImmutableBlocks | MutableBlocks): TierStore {
    return tierOf(this.#parts.stores, blocks)
  }

  #assertOpen(): void {
    if (this.#state !== 'open') throw new ClosedError('manager')
  }
}

/** Opens everything a configuration asks for, or gives back all it took and rejects. */
export async function openManager(
  given: ConfigInput | ResolvedConfig,
  options: Partial<ManagerSettings> = {},
): Promise<Manager> {
  const config = KvBlockManagerConfig.parse(given)
  config.runtime.signal?.throwIfAborted()
  refuseSharding(config)
  for (const warning of config.warnings)
    config.runtime.logger.warn(`${warning.path}: ${warning.rule}. ${warning.remedy}`)
  const owned = new DisposeStack()
  try {
    return await assemble(config, resolveSettings(options), owned)
  } catch (error) {
    await owned.close()
    throw error
  }
}

async function assemble(config: ResolvedConfig, settings: ManagerSettings, owned: DisposeStack): Promise<Manager> {
  const { logger, metricsRegistry, signal } = config.runtime
  const runtime =
    (config.runtime.asyncRuntime as NativeTransferRuntime | undefined) ?? owned.use(createTransferRuntime())
  const counters = new Counters()
  const events = new EventHub({ external: config.eventManager, logger })
  const mover = new Mover({
    runtime,
    counters,
    events,
    logger,
    integrity: config.integrity,
    transferDeadlineMs: settings.transferDeadlineMs,
  })
  const opening = { config, shape: modelShape(config.model), runtime, settings, events, owned }
  const stores = new Map<TierName, TierStore>()
  for (const [name, layout] of configuredTiers(config)) stores.set(name, await openTier(name, layout, opening))
  const staging = new Staging(await openStaging(opening), mover)
  const queues = connectTiers([...stores.values()], config, {
    mover,
    counters,
    logger,
    queueMax: settings.offloadQueueMax,
    concurrency: settings.offloadConcurrency,
    batchMax: settings.transferBatchMax,
  })
  const remote = await openRemote(config.runtime)
  const hash = await hasher(config)
  const manager = new Manager({
    config,
    settings,
    shape: opening.shape,
    runtime,
    stores,
    queues,
    staging,
    mover,
    counters,
    events,
    remote,
    hash,
    owned,
  })
  if (metricsRegistry !== undefined) owned.defer(await exposeMetrics(metricsRegistry, manager))
  closeOnAbort(manager, signal, owned)
  return manager
}

/** The seed page's cancellation token: aborting the signal closes the manager. */
function closeOnAbort(manager: Manager, signal: AbortSignal | undefined, owned: DisposeStack): void {
  if (signal === undefined) return
  const close = (): void => void manager.close()
  signal.addEventListener('abort', close, { once: true })
  owned.defer(() => signal.removeEventListener('abort', close))
}

/** Registration above offers blocks to the next tier below. */
function connectTiers(
  stores: readonly TierStore[],
  config: ResolvedConfig,
  options: ConstructorParameters<typeof OffloadQueue>[3],
): OffloadQueue[] {
  return stores.slice(0, -1).map((from, index) => {
    const queue = new OffloadQueue(
      from,
      stores[index + 1]!,
      layoutOf(config, from.name as TierName)?.offloadFilter,
      options,
    )
    from.pool.setObserver({ registered: (_ids, hashes) => queue.offer(hashes) })
    return queue
  })
}

async function hasher(config: ResolvedConfig): Promise<Parts['hash']> {
  const { pageSize, hashAlgorithm } = config.model
  if (hashAlgorithm === 'sha256') return (tokens, salt) => hashTokens(tokens, { pageSize, salt })
  const xxh3 = await loadXxh3()
  return (tokens, salt) => xxh3.hashTokens(tokens, { pageSize, salt })
}

function layoutOf(config: ResolvedConfig, name: TierName) {
  return { device: config.deviceLayout, host: config.hostLayout, disk: config.diskLayout }[name]
}

function configuredTiers(config: ResolvedConfig) {
  return TIER_NAMES.flatMap((name) => {
    const layout = layoutOf(config, name)
    return layout === undefined ? [] : [[name, layout] as const]
  })
}

function refuseSharding(config: ResolvedConfig): void {
  for (const [name, layout] of configuredTiers(config))
    if (layout.logical !== undefined) throw new ShardingUnavailableError(`${name}Layout`)
}

type Absent<T extends TierName> = Exclude<TierName, T>

/** A manager whose type knows its tiers: `KvBlockManager<'host' | 'disk'>` has no `device`. */
export type KvBlockManager<T extends TierName = TierName> = Omit<Manager, Absent<T>>

export const KvBlockManager = Object.freeze({
  /**
   * Opens a manager for a configuration: a plain object, a builder's result, or a parsed value. Rejects with `ConfigError`,
   * `DirectoryLockedError`, `DeviceUnavailableError` and others of docs/errors.md, having released everything it took.
   */
  create<const C extends ConfigInput>(
    config: C & StrictInput<C>,
    settings?: Partial<ManagerSettings>,
  ): Promise<KvBlockManager<TiersOf<C>>> {
    return openManager(config as ConfigInput, settings) as Promise<KvBlockManager<TiersOf<C>>>
  },
})
