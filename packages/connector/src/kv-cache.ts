import { KvManagerModelConfig, modelFingerprint } from '@kvbm/config'
import { ClosedError } from '@kvbm/core'
import type { Manager } from '@kvbm/manager'
import { claimDirectory, createTransferRuntime, type NativeTransferRuntime } from '@kvbm/storage'
import { type ConnectOptions, KvConnector } from './connector.js'
import { ConnectorCounters, type CounterValues, counterValues } from './counters.js'
import type { KvEngineDriver } from './engine-driver.js'
import { type KvCacheOptions, type KvCacheSettings, resolveOptions } from './kv-cache-options.js'
import { exposeCounters } from './metrics.js'
import { modelOf } from './model-identity.js'
import { type DiskShare, type ModelStatus, ModelStore } from './model-store.js'
import { ModelStores } from './model-stores.js'
import { ScratchPool, type ScratchStatus } from './scratch-pool.js'

/** Plain JSON: what an operator asks first. */
export interface KvCacheStatus {
  readonly state: 'open' | 'closed'
  readonly dir: string | undefined
  readonly hostBytes: number
  readonly diskBytes: number
  readonly modelsMax: number
  readonly pageSize: number
  /** Contexts that are connected and not closed. */
  readonly contexts: number
  readonly models: readonly ModelStatus[]
  readonly handOver: ScratchStatus
  readonly counters: CounterValues
}

/** The KV cache of a process: it serves every model and context. Made by `openKvCache`. */
export class KvCache {
  readonly #settings: KvCacheSettings
  readonly #runtime: NativeTransferRuntime
  readonly #scratch: ScratchPool
  readonly #stores: ModelStores
  readonly #counters = new ConnectorCounters()
  readonly #connectors = new Set<KvConnector<never>>()
  readonly #hideMetrics: () => void
  #models = 0
  #closing: Promise<void> | undefined

  /** Use `openKvCache`. */
  constructor(settings: KvCacheSettings, runtime: NativeTransferRuntime) {
    const { modelsMax, clock, handOverBytes, metricsRegistry, signal } = settings
    this.#settings = settings
    this.#runtime = runtime
    this.#scratch = new ScratchPool({ runtime, lentBytesMax: handOverBytes })
    this.#stores = new ModelStores({ modelsMax, clock })
    this.#hideMetrics = metricsRegistry === undefined ? () => {} : exposeCounters(metricsRegistry, this.#counters)
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Tokens per block, for the geometry of drivers. */
  get pageSize(): number {
    return this.#settings.pageSize
  }

  /**
   * Connects one engine context. Synchronous: the cache of its model opens lazily inside the first use. Throws `ClosedError` after
   * `close`, `ConfigError` for an impossible geometry, `TypeError` for adapters that are no strings.
   */
  connect<Slot>(driver: KvEngineDriver<Slot>, options: ConnectOptions = {}): KvConnector<Slot> {
    if (this.#closing !== undefined) throw new ClosedError('KV cache')
    const { clock, logger, maxStallMs } = this.#settings
    const connector = new KvConnector<Slot>({
      ...options,
      driver,
      store: this.#storeOf(driver),
      counters: this.#counters,
      scratch: this.#scratch,
      clock,
      logger,
      maxStallMs,
      ensure: (store) => this.#ensure(store),
      closed: () => void this.#connectors.delete(connector as unknown as KvConnector<never>),
    })
    this.#connectors.add(connector as unknown as KvConnector<never>)
    return connector
  }

  status(): KvCacheStatus {
    const { dir, hostBytes, diskBytes, modelsMax, pageSize } = this.#settings
    return {
      state: this.#closing === undefined ? 'open' : 'closed',
      dir,
      hostBytes,
      diskBytes,
      modelsMax,
      pageSize,
      contexts: this.#connectors.size,
      models: this.#stores.status(),
      handOver: this.#scratch.status(),
      counters: counterValues(this.#counters),
    }
  }

  /**
   * Runs captures that wait, lets blocks on their way to disk get there, frees everything. Idempotent. Drops what takes longer than ten
   * seconds, all but a save that runs in an engine: memory must not go while the engine writes to it.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  readonly #onAbort = (): void => void this.close()

  async #close(): Promise<void> {
    this.#settings.signal?.removeEventListener('abort', this.#onAbort)
    await Promise.all([...this.#connectors].map((connector) => connector.close()))
    await this.#stores.close()
    await this.#scratch.close()
    await this.#runtime.close()
    this.#hideMetrics()
  }

  async #ensure(store: ModelStore): Promise<Manager | undefined> {
    const wasOpen = store.manager !== undefined
    const manager = await this.#stores.ensure(store)
    if (!wasOpen && manager !== undefined) this.#scratch.prepare(cachedBytes(manager))
    return manager
  }

  #diskShare(): DiskShare | undefined {
    const { dir, diskBytes, modelsMax } = this.#settings
    if (dir === undefined || diskBytes === 0) return undefined
    return { path: dir, quotaBytes: diskBytes, shareBytes: Math.floor(diskBytes / modelsMax) }
  }

  #storeOf<Slot>(driver: KvEngineDriver<Slot>): ModelStore {
    const model = modelOf(driver)
    return this.#stores.get(modelFingerprint(KvManagerModelConfig.parse(model)), () => {
      const { hostBytes, modelsMax, metricsRegistry, logger, clock } = this.#settings
      return new ModelStore({
        name: driver.identity.name,
        model,
        workerId: this.#models++,
        hostBytes: Math.floor(hostBytes / modelsMax),
        disk: this.#diskShare(),
        runtime: this.#runtime,
        metricsRegistry,
        logger,
        clock,
      })
    })
  }
}

/**
 * Opens the KV cache of this process. Rejects with `RangeError` for an impossible option, with `DirectoryForeignError` or
 * `StorageIoError` for a directory that cannot be used.
 */
export async function openKvCache(options: KvCacheOptions = {}): Promise<KvCache> {
  const settings = resolveOptions(options)
  settings.signal?.throwIfAborted()
  const runtime = createTransferRuntime()
  try {
    if (settings.dir !== undefined && settings.diskBytes > 0) await claimDirectory(settings.dir)
    return new KvCache(settings, runtime)
  } catch (error) {
    await runtime.close()
    throw error
  }
}

/** What an earlier process left on disk. */
function cachedBytes(manager: Manager): number {
  return manager.status().tiers.disk?.usedBytes ?? 0
}
