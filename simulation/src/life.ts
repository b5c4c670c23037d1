import type { Storage, StorageAllocator, TierName } from '@kvbm/core'
import { KvBlockManager, type Manager, type ManagerEvent } from '@kvbm/manager'
import type { Binding } from '@kvbm/native'
import { type FaultController, type SimulatedMachine, type StartedProcess, withFaults } from '@kvbm/native/testing'
import type { BlockPool } from '@kvbm/pool'
import { createTransferRuntime, DeviceAllocator, type NativeTransferRuntime, PinnedAllocator } from '@kvbm/storage'
import { ROOT, runOn } from './ground.js'
import { overriding } from './overriding.js'
import { Prompts } from './prompts.js'
import type { MemoryTier, Scenario } from './scenario.js'

/** Where the disk tier lies. */
const DIRECTORY = `${ROOT}/cache`
const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const NONE = { shouldOffload: () => false }

export interface LifeOptions {
  readonly machine: SimulatedMachine
  readonly scenario: Scenario
  readonly diskBlocks: number
  /** Puts a defect between the manager and the machine. */
  readonly wrap?: ((binding: Binding) => Binding) | undefined
  readonly integrity?: boolean | undefined
  /** It only reads, beside the process that writes. */
  readonly isReader?: boolean
  readonly onEvent: (event: ManagerEvent) => void
}

/** Numbers of the regions that have the blocks of a tier, and of the table of the disk's records. */
export type Regions = Readonly<Record<TierName | 'table', number[]>>

/** One process with an open manager. */
export class Life {
  readonly machine: SimulatedMachine
  readonly ground: StartedProcess
  readonly manager: Manager
  readonly faults: FaultController
  readonly regions: Regions
  /** Paths of the disk's table and of its blocks. */
  readonly files: { readonly table: string; readonly blocks: string }
  /** Of the tiers that have one: a reader has no pool of what is on disk. */
  readonly pools: Map<TierName, BlockPool>
  readonly prompts: Prompts
  readonly #runtime: NativeTransferRuntime

  private constructor(
    parts: Omit<Life, 'close' | 'isWriter' | 'tookOver'> & { readonly runtime: NativeTransferRuntime },
  ) {
    this.machine = parts.machine
    this.ground = parts.ground
    this.manager = parts.manager
    this.faults = parts.faults
    this.regions = parts.regions
    this.files = parts.files
    this.pools = parts.pools
    this.prompts = parts.prompts
    this.#runtime = parts.runtime
  }

  /** Starts a process that opens its manager on whatever the disk has. It goes on while the machine does. */
  static open(options: LifeOptions): Promise<Life> {
    const ground = options.machine.start()
    return runOn(ground, () => Life.#open(ground, options))
  }

  static async #open(ground: StartedProcess, options: LifeOptions): Promise<Life> {
    const { machine, scenario, wrap = (binding) => binding } = options
    ground.process.stalls = scenario.weather.stalls
    const { binding, faults } = withFaults(ground.binding)
    const regions: Regions = { device: [], host: [], disk: [], table: [] }
    const files = { table: '', blocks: '' }
    const watched = watchFiles(wrap(binding), regions, files)
    const runtime = createTransferRuntime({ binding: watched, threads: scenario.threads })
    const config = configOf(options, runtime, regions)
    const manager = (await KvBlockManager.create(config as never, scenario.settings)) as unknown as Manager
    manager.onEvent(options.onEvent)
    const pooled = manager.tiers.filter((tier) => tier !== 'disk' || options.isReader !== true)
    const pools = new Map(pooled.map((tier) => [tier, poolOf(manager, tier)]))
    const prompts = new Prompts(manager)
    return new Life({ machine, ground, manager, faults, regions, files, pools, prompts, runtime })
  }

  get isWriter(): boolean {
    return runOn(this.ground, () => this.manager.status()).tiers.disk?.role?.role !== 'reader'
  }

  /** The reader writes now, and has a pool of what is on disk. */
  tookOver(): void {
    this.pools.set('disk', poolOf(this.manager, 'disk'))
  }

  /** Closes as a program that ends does. It goes on while the machine does. */
  async close(): Promise<void> {
    await runOn(this.ground, () => this.manager.close())
    await runOn(this.ground, () => this.#runtime.close())
  }
}

function poolOf(manager: Manager, tier: TierName): BlockPool {
  using none = manager[tier].allocateUpTo(0)
  return none.pool as BlockPool
}

function configOf(
  { scenario, diskBlocks, integrity }: LifeOptions,
  runtime: NativeTransferRuntime,
  regions: Regions,
): object {
  const { device, host, duplicates, writeThrough } = scenario
  const filter = writeThrough ? {} : { offloadFilter: NONE }
  const tier = (name: 'device' | 'host', sizes: MemoryTier | undefined, allocator: StorageAllocator) =>
    sizes && {
      [`${name}Layout`]: { ...sizes, ...filter, duplicates, allocator: watchMemory(allocator, regions[name]) },
    }
  return {
    model: scenario.model,
    // Loading a package is real I/O.
    runtime: { workerId: 0, asyncRuntime: runtime, logger: QUIET, nixl: { mode: 'disabled' } },
    ...(integrity === undefined ? {} : { integrity }),
    ...tier('device', device, new DeviceAllocator({ runtime })),
    ...tier('host', host, new PinnedAllocator({ runtime })),
    diskLayout: {
      numBlocks: diskBlocks,
      duplicates,
      allocator: { kind: 'disk', path: DIRECTORY },
      ...(scenario.isShared ? { access: 'shared' } : {}),
    },
  }
}

function watchMemory(inner: StorageAllocator, regions: number[]): StorageAllocator {
  return {
    kind: inner.kind,
    describe: () => inner.describe(),
    allocate: async (request): Promise<Storage> => {
      const storage = await inner.allocate(request)
      regions.push(storage.regionId)
      return storage
    },
  }
}

function watchFiles(binding: Binding, regions: Regions, files: { table: string; blocks: string }): Binding {
  return overriding(binding, {
    openFile: async (options) => {
      const region = await binding.openFile(options)
      const { path } = options
      if (path.endsWith('blocks.kvbm')) {
        regions.disk.push(region.id)
        files.blocks = path
      }
      if (path.endsWith('slots.kvbm')) {
        regions.table.push(region.id)
        files.table = path
      }
      return region
    },
  })
}
