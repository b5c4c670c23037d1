import { type ConfigInput, KvBlockManagerConfig, modelShape, type ResolvedConfig } from '@kvbm/config'
import {
  ClosedError,
  ConfigError,
  DisposeStack,
  type Logger,
  ShardingUnavailableError,
  TIER_NAMES,
  type TierName,
} from '@kvbm/core'
import { loadBinding } from '@kvbm/native'
import { createTransferRuntime, LockUnavailableError, type NativeTransferRuntime } from '@kvbm/storage'
import { hashTokens, loadXxh3 } from '@kvbm/tokens'
import { calmLogger } from './calm-logger.js'
import { Counters } from './counters.js'
import { DiskRole } from './disk-role.js'
import { EventHub } from './event-hub.js'
import { Integrity } from './integrity.js'
import { Manager, type Parts } from './manager.js'
import { exposeMetrics } from './metrics-registration.js'
import { Mover } from './mover.js'
import { OffloadQueue } from './offload-queue.js'
import type { OffloadTools } from './offload-run.js'
import { expectApart, type OpenTierOptions, openStaging, openTier, takeOverDiskTier } from './open-tiers.js'
import { ReaderStore } from './reader-store.js'
import { openRemote } from './remote.js'
import { type ManagerSettings, resolveSettings } from './settings.js'
import { Staging } from './staging.js'
import { TierHealth } from './tier-health.js'
import { TierMap } from './tier-map.js'
import { TierProbe } from './tier-probe.js'
import { TierRecovery } from './tier-recovery.js'
import type { TierStore } from './tier-store.js'
import { Transfers } from './transfers.js'

/** Opens everything a configuration asks for, or gives back all it took and rejects. */
export async function openManager(
  given: ConfigInput | ResolvedConfig,
  options: Partial<ManagerSettings> = {},
): Promise<Manager> {
  const config = KvBlockManagerConfig.parse(given)
  const settings = resolveSettings(options)
  const logger = calmLogger(config.runtime.logger)
  config.runtime.signal?.throwIfAborted()
  refuseSharding(config)
  warn(config, logger)
  const stacks = { owned: new DisposeStack(), ties: new DisposeStack() }
  try {
    const manager = new Manager(await openParts({ config, settings, logger, ...stacks }))
    await tie(manager, { config, logger, ...stacks })
    return manager
  } catch (error) {
    await undo(stacks.ties, logger)
    await undo(stacks.owned, logger)
    throw error
  }
}

/** What failed first is what the caller must know. */
async function undo(stack: DisposeStack, logger: Logger): Promise<void> {
  await stack
    .close()
    .catch((error: unknown) => logger.error(`Giving back what was opened failed, too: ${String(error)}`))
}

function warn({ warnings }: ResolvedConfig, logger: Logger): void {
  for (const { path, rule, remedy } of warnings) logger.warn(`${path}: ${rule}. ${remedy}`)
}

function refuseSharding(config: ResolvedConfig): void {
  for (const [name, layout] of configuredTiers(config))
    if (layout.logical !== undefined) throw new ShardingUnavailableError(`${name}Layout`)
}

/** What a manager is made from: `ties` and then `owned` are closed when it is. */
type Beginning = Pick<Parts, 'config' | 'settings' | 'logger' | 'owned' | 'ties'>

async function openParts(beginning: Beginning): Promise<Parts> {
  const { config, settings, logger, owned, ties } = beginning
  const shape = modelShape(config.model)
  const runtime = openRuntime(config, owned)
  const machinery = newMachinery(beginning, runtime)
  const { transfers, events, closing } = machinery
  const opening = { config, shape, runtime, settings, events, logger, owned }
  const { tiers, off } = await openTiers(opening)
  const store = await openStaging(opening)
  const deadlineMs = settings.transferDeadlineMs
  const staging = new Staging({ store, transfers, deadlineMs, closing: closing.signal })
  recover(machinery.health, new TierProbe({ staging, transfers, integrity: machinery.integrity }), beginning)
  const queues = connectTiers(tiers, beginning, machinery)
  const remote = await openRemote(config.runtime, logger, owned)
  const hash = await hasher(config)
  const role = followWriter(tiers, opening, machinery)
  if (role !== undefined) ties.defer(() => role.stop())
  return { ...machinery, ...beginning, shape, tiers, off, role, staging, queues, remote, hash }
}

/** What moves blocks and tells of it; it opens nothing. */
function newMachinery({ config, settings, logger }: Beginning, runtime: NativeTransferRuntime) {
  const { transferDeadlineMs: deadlineMs, transferBatchMax: batchMax } = settings
  const closing = new AbortController()
  const counters = new Counters()
  const events = new EventHub({ external: config.eventManager, logger })
  const health = new TierHealth({ events, logger })
  const transfers = new Transfers({ runtime, counters, deadlineMs, closing: closing.signal })
  const integrity = new Integrity({ isEnabled: config.integrity, counters, events, logger, health, transfers })
  const mover = new Mover({ transfers, integrity, health, counters })
  return { closing, counters, events, health, transfers, integrity, mover, batchMax }
}

/** Tiers that fail are probed from now on, until the manager closes. */
function recover(health: TierHealth, trial: TierProbe, { settings, ties }: Beginning): void {
  const { probeDelayMs: delayMs, probeDelayMaxMs: delayMaxMs } = settings
  const recovery = new TierRecovery({
    probe: (tier, doing) => trial.probe(tier, doing),
    works: (tier, doing) => health.works(tier, doing),
    delayMs,
    delayMaxMs,
  })
  health.recoverBy(recovery)
  ties.defer(() => recovery.close())
}

/** Threads of our own, which end with the manager, unless the caller gives some. */
function openRuntime({ runtime }: ResolvedConfig, owned: DisposeStack): NativeTransferRuntime {
  const { asyncRuntime, native } = runtime
  if (asyncRuntime === undefined)
    return owned.use(createTransferRuntime({ binding: loadBinding(native === undefined ? {} : { native }) }))
  const given = asyncRuntime as Partial<NativeTransferRuntime>
  if (given.binding === undefined) throw foreignRuntime(asyncRuntime)
  if (given.closed === true) throw new ClosedError('transfer runtime of the configuration')
  return asyncRuntime as NativeTransferRuntime
}

function foreignRuntime(value: unknown): ConfigError {
  const rule = 'a transfer runtime of @kvbm/storage'
  const remedy = 'Give what createTransferRuntime() returned, or leave it out.'
  return new ConfigError([{ path: 'runtime.asyncRuntime', value, rule, remedy }])
}

interface OpenedTiers {
  readonly tiers: TierMap
  readonly off: ReadonlyMap<TierName, string>
}

/** A disk tier that cannot be locked is left out, with the reason, where there are other tiers to go on with. */
async function openTiers(opening: OpenTierOptions): Promise<OpenedTiers> {
  const tiers = new TierMap()
  const off = new Map<TierName, string>()
  for (const [name, layout] of configuredTiers(opening.config)) {
    try {
      const tier = await openTier(name, layout, opening)
      expectApart(tier, tiers.values())
      tiers.set(name, tier)
    } catch (error) {
      if (!(error instanceof LockUnavailableError) || tiers.size === 0) throw error
      off.set(name, error.message)
      opening.logger.warn(`The ${name} tier is off: ${error.message}`)
    }
  }
  return { tiers, off }
}

/** Registration above offers blocks to the next tier below. */
function connectTiers(tiers: TierMap, { config, settings, logger }: Beginning, tools: OffloadTools): OffloadQueue[] {
  const { offloadQueueMax: queueMax, offloadConcurrency: concurrency } = settings
  const names = [...tiers.keys()]
  return [...tiers.values()].slice(0, -1).map((from, index) => {
    const to = (): TierStore<TierName> => tiers.get(names[index + 1]!)!
    const filter = config[`${from.name}Layout`]?.offloadFilter
    const queue = new OffloadQueue({ from, to, filter, tools, logger, queueMax, concurrency })
    from.pool.setObserver({ registered: (_ids, hashes) => queue.offer(hashes) })
    return queue
  })
}

/** Where another process writes the disk tier: looks from now on what it stored, and whether it is gone. */
function followWriter(
  tiers: TierMap,
  opening: OpenTierOptions,
  { transfers, events, closing }: ReturnType<typeof newMachinery>,
): DiskRole | undefined {
  const store = tiers.get('disk')
  if (!(store instanceof ReaderStore)) return undefined
  const { config, logger, settings } = opening
  const role = new DiskRole({
    store,
    tiers,
    takeOver: () => takeOverDiskTier(config.diskLayout!, { ...opening, after: store.reader }),
    track: (work) => transfers.track(work),
    events,
    logger,
    delayMs: settings.readerDelayMs,
    closing: closing.signal,
  })
  void role.follow()
  return role
}

async function hasher({ model }: ResolvedConfig): Promise<Parts['hash']> {
  const { pageSize, hashAlgorithm } = model
  if (hashAlgorithm === 'sha256') return (tokens, salt) => hashTokens(tokens, { pageSize, salt })
  const xxh3 = await loadXxh3()
  return (tokens, salt) => xxh3.hashTokens(tokens, { pageSize, salt })
}

/** Shows the manager in the caller's registry, and closes it with the caller's signal. */
async function tie(manager: Manager, { config, logger, ties }: Omit<Beginning, 'settings'>): Promise<void> {
  const { metricsRegistry, workerId, signal } = config.runtime
  if (metricsRegistry !== undefined)
    ties.defer(await exposeMetrics(metricsRegistry, { workerId, status: () => manager.status() }))
  if (signal === undefined) return
  signal.throwIfAborted()
  const close = (): void =>
    void manager.close().catch((error: unknown) => logger.error(`Closing on abort failed: ${String(error)}`))
  signal.addEventListener('abort', close, { once: true })
  ties.defer(() => signal.removeEventListener('abort', close))
}

function configuredTiers(config: ResolvedConfig) {
  return TIER_NAMES.flatMap((name) => {
    const layout = config[`${name}Layout`]
    return layout === undefined ? [] : [[name, layout] as const]
  })
}
