import {
  blocksForBytes,
  bytesPerBlock,
  formatBytes,
  KvManagerModelConfig,
  type LayoutInput,
  type ModelConfig,
  type ModelInput,
  modelFingerprint,
} from '@kvbm/config'
import { KvbmError, type Logger, type MetricsRegistry, StorageFullError } from '@kvbm/core'
import { KvBlockManager, type Lease, type Manager, type ManagerStatus } from '@kvbm/manager'
import { type NativeTransferRuntime, slotDirectoryName, slotsForBytes } from '@kvbm/storage'
import type { Clock } from './clock.js'
import { writeModelNote } from './model-note.js'
import { PromptMemory } from './prompt-memory.js'
import { settlesWithin } from './wait-for.js'

/** What a model may have of the cache directory. */
export interface DiskShare {
  readonly path: string
  /** Bytes over all models. */
  readonly quotaBytes: number
  /** Bytes of this one. */
  readonly shareBytes: number
}

export interface ModelStoreOptions {
  /** For people. */
  readonly name: string
  readonly model: ModelInput
  /** Tells the metrics of several models apart. */
  readonly workerId: number
  readonly hostBytes: number
  /** Absent: host only. */
  readonly disk: DiskShare | undefined
  readonly runtime: NativeTransferRuntime
  readonly metricsRegistry: MetricsRegistry | undefined
  readonly logger: Logger
  readonly clock: Clock
}

/** Whether blocks of a model outlive the process. `degraded`: not now; it is tried again by itself. */
export interface DiskState {
  readonly state: 'ok' | 'degraded' | 'off'
  /** Why it is off or degraded; empty otherwise. */
  readonly reason: string
}

/** Plain JSON: how the blocks of one model fare. */
export interface ModelStatus {
  readonly name: string
  readonly modelId: string
  /** `closed`: not used yet, or closed for another model; its disk stays. `off`: cannot be opened, runs without cache. */
  readonly state: 'closed' | 'opening' | 'open' | 'off'
  readonly reason: string
  /** Sessions and captures that need it open. */
  readonly users: number
  readonly disk: DiskState
  readonly manager?: ManagerStatus
}

/** How long `close` waits for blocks on their way to disk. */
const FLUSH_MS = 10_000
/** A store that could not be opened is not tried again before. */
const RETRY_MS = 30_000
const DISK_OFF: DiskState = { state: 'off', reason: 'no disk was asked for' }
const DISK_OK: DiskState = { state: 'ok', reason: '' }

/** The blocks of one fingerprint: its manager while that is open, what is remembered of it while it is not. */
export class ModelStore {
  readonly name: string
  readonly model: ModelConfig
  readonly blockBytes: number
  readonly memory = new PromptMemory()
  /** When it was last asked for, by the clock. */
  usedAt = 0
  readonly #options: ModelStoreOptions
  #users = 0
  #state: ModelStatus['state'] = 'closed'
  #reason = ''
  #disk: DiskState
  #manager: Manager | undefined
  #retryAt = 0
  #promotion: Promise<void> | undefined
  /** Ends the promotion that runs. */
  #promoting = new AbortController()
  readonly #warned = new Set<string>()

  constructor(options: ModelStoreOptions) {
    this.name = options.name
    this.model = KvManagerModelConfig.parse(options.model)
    this.blockBytes = bytesPerBlock(this.model)
    this.#options = options
    this.#disk = DISK_OFF
  }

  /** Undefined while it is not open. */
  get manager(): Manager | undefined {
    return this.#manager
  }

  get idle(): boolean {
    return this.#users === 0
  }

  get reason(): string {
    return this.#reason
  }

  /** False for a while after it could not be opened. */
  get mayOpen(): boolean {
    return this.#options.clock.now() >= this.#retryAt
  }

  /** Keeps it from being closed for another model. Returns how to let go; letting go twice is once. */
  retain(): () => void {
    this.#users++
    let held = true
    return () => {
      if (held) this.#users--
      held = false
    }
  }

  /** Opens the manager; what is wrong with the disk turns the disk off, what else is wrong turns the store off. Never rejects. */
  async open(): Promise<Manager | undefined> {
    this.#state = 'opening'
    try {
      this.#manager = await this.#openBest()
      this.#state = 'open'
      this.#reason = ''
    } catch (error) {
      this.refuse(messageOf(error))
      this.#retryAt = this.#options.clock.now() + RETRY_MS
    }
    return this.#manager
  }

  /** It cannot have a manager now. Warns once for each reason. */
  refuse(reason: string): void {
    this.#state = 'off'
    this.#reason = reason
    this.#warnOnce(`${this.name} runs without cache: ${reason}`)
  }

  /** Blocks on their way to disk get there first. Never rejects. */
  async close(): Promise<void> {
    const manager = this.#manager
    this.#manager = undefined
    if (manager === undefined) return
    const { clock, logger } = this.#options
    try {
      this.#promoting.abort()
      await this.#promotion
      if (!(await settlesWithin(clock, FLUSH_MS, manager.settled())))
        logger.warn(`${this.name}: blocks were still on their way to disk after ${FLUSH_MS} ms and are dropped.`)
      await manager.close()
    } catch (error) {
      logger.error(`${this.name}: closing failed: ${messageOf(error)}`)
    }
    this.#state = 'closed'
  }

  /**
   * Copies blocks that were found on disk up in the background, so that the next hit is faster. Takes the lease over. One prompt at a
   * time: others stay where they are.
   */
  promote(lease: Lease): void {
    const manager = this.#manager
    if (manager === undefined || this.#promotion !== undefined) {
      lease.release()
      return
    }
    const letGo = this.retain()
    this.#promoting = new AbortController()
    this.#promotion = promoteTo(manager, lease, this.#promoting.signal)
      .catch((error: unknown) => this.#options.logger.debug(`${this.name}: promoting failed: ${messageOf(error)}`))
      .finally(() => {
        this.#promotion = undefined
        lease.release()
        letGo()
      })
  }

  status(): ModelStatus {
    const manager = this.#manager?.status()
    return {
      name: this.name,
      modelId: this.model.modelId,
      state: this.#state,
      reason: this.#reason,
      users: this.#users,
      disk: diskState(manager) ?? this.#disk,
      ...(manager === undefined ? {} : { manager }),
    }
  }

  async #openBest(): Promise<Manager> {
    const { disk } = this.#options
    this.#disk = DISK_OFF
    if (disk === undefined) return this.#create(undefined)
    try {
      const manager = await this.#create(this.#diskLayout(disk))
      this.#disk = DISK_OK
      await writeModelNote(disk.path, slotDirectoryName(modelFingerprint(this.model)), this.name)
      return manager
    } catch (error) {
      if (!isDiskTrouble(error)) throw error
      this.#disk = { state: 'off', reason: messageOf(error) }
      this.#warnOnce(`${this.name}: the disk tier is off, the host tier works. ${this.#disk.reason}`)
      return this.#create(undefined)
    }
  }

  #diskLayout({ path, quotaBytes, shareBytes }: DiskShare): LayoutInput {
    const numBlocks = slotsForBytes(shareBytes, this.blockBytes)
    if (numBlocks < 1) throw shareTooSmall(path, shareBytes, this.blockBytes)
    return { numBlocks, allocator: { kind: 'disk', path, quota: quotaBytes } }
  }

  async #create(diskLayout: LayoutInput | undefined): Promise<Manager> {
    const { hostBytes, runtime, logger, metricsRegistry, workerId } = this.#options
    const numBlocks = blocksForBytes(hostBytes, this.model)
    if (numBlocks < 1) throw tooSmall(hostBytes, this.blockBytes)
    const config = {
      model: this.model,
      runtime: {
        workerId,
        asyncRuntime: runtime,
        logger,
        nixl: { mode: 'disabled' as const },
        ...(metricsRegistry === undefined ? {} : { metricsRegistry }),
      },
      hostLayout: { numBlocks, layoutType: 'paged' as const, allocator: { kind: 'system' as const } },
    }
    if (diskLayout === undefined) return (await KvBlockManager.create(config)) as Manager
    return (await KvBlockManager.create({ ...config, diskLayout })) as Manager
  }

  #warnOnce(message: string): void {
    if (this.#warned.has(message)) return
    this.#warned.add(message)
    this.#options.logger.warn(message)
  }
}

/** Undefined where the manager is not open or has no disk tier. */
function diskState(manager: ManagerStatus | undefined): DiskState | undefined {
  const tier = manager?.tiers.disk
  return tier && { state: tier.state, reason: tier.reason }
}

async function promoteTo(manager: Manager, lease: Lease, signal: AbortSignal): Promise<void> {
  const resident = await manager.onboard(lease, { to: 'host', signal })
  resident.release()
}

const DISK_TROUBLE: ReadonlySet<string> = new Set([
  'KVBM_DIRECTORY_LOCKED',
  'KVBM_DIRECTORY_FOREIGN',
  'KVBM_STORAGE_FULL',
  'KVBM_STORAGE_IO',
])

function isDiskTrouble(error: unknown): boolean {
  return KvbmError.is(error) && DISK_TROUBLE.has(error.code)
}

function tooSmall(hostBytes: number, blockBytes: number): RangeError {
  return new RangeError(
    `a model's share of host memory, ${formatBytes(hostBytes)}, is less than one block of ${formatBytes(blockBytes)}. Raise host, or lower modelsMax or pageSize`,
  )
}

function shareTooSmall(path: string, shareBytes: number, blockBytes: number): StorageFullError {
  return new StorageFullError(
    `The cache directory ${path} has no room for one block of ${formatBytes(blockBytes)}: a model's share is ${formatBytes(shareBytes)}. Raise disk, or lower modelsMax.`,
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
