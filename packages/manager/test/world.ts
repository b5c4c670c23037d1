import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger, Storage, StorageAllocator, TierName } from '@kvbm/core'
import { loadBinding } from '@kvbm/native'
import { type FaultController, withFaults } from '@kvbm/native/testing'
import type { BlockPool, ImmutableBlocks } from '@kvbm/pool'
import {
  createTransferRuntime,
  DeviceAllocator,
  DiskAllocator,
  type NativeTransferRuntime,
  PinnedAllocator,
} from '@kvbm/storage'
import { KvBlockManager, type Lease, type Manager, type ManagerSettings } from '../src/index.js'

export const MODEL = { modelId: 'test', numLayers: 2, outerDim: 2, pageSize: 4, innerDim: 256, dtype: 'fp16' } as const
/** 2 layers × 2 × 4 tokens × 256 × 2 bytes. */
export const BLOCK_BYTES = 8192

/** Nothing goes down by itself, so that a test moves blocks when it wants to. */
export const NONE = { shouldOffload: () => false }

export interface TemporaryDirectory extends Disposable {
  readonly path: string
}

export function temporaryDirectory(): TemporaryDirectory {
  const path = mkdtempSync(join(tmpdir(), 'kvbm-manager-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

export interface TiersOption {
  readonly device?: number | undefined
  readonly host?: number | undefined
  readonly disk?: { readonly numBlocks: number; readonly path: string } | undefined
  readonly more?: object
  readonly settings?: Partial<ManagerSettings>
}

export async function openManager({ device, host, disk, more = {}, settings }: TiersOption): Promise<Manager> {
  const config = {
    model: MODEL,
    ...(device === undefined ? {} : { deviceLayout: { numBlocks: device } }),
    ...(host === undefined ? {} : { hostLayout: { numBlocks: host } }),
    ...(disk === undefined
      ? {}
      : { diskLayout: { numBlocks: disk.numBlocks, allocator: { kind: 'disk' as const, path: disk.path } } }),
    ...more,
  }
  return (await KvBlockManager.create(config, settings)) as Manager
}

/** A manager on memory and files that fail on command. Background offload is off unless `writeThrough`. */
export interface FaultyWorld extends AsyncDisposable {
  readonly manager: Manager
  readonly faults: FaultController
  readonly runtime: NativeTransferRuntime
  /** Number of the region that has the blocks of a tier. */
  readonly regions: Readonly<Record<TierName, number>>
  /** What the manager logged, `warn: …`. */
  readonly log: string[]
}

export async function faultyWorld({
  device,
  host,
  disk,
  more = {},
  settings,
  writeThrough = false,
}: TiersOption & { readonly writeThrough?: boolean }): Promise<FaultyWorld> {
  const { binding, faults } = withFaults(loadBinding())
  const runtime = createTransferRuntime({ binding, threads: 2 })
  const regions = { device: -1, host: -1, disk: -1 }
  const log: string[] = []
  const filter = writeThrough ? {} : { offloadFilter: NONE }
  const found = (tier: TierName) => (storage: Storage) => {
    regions[tier] = storage.regionId
  }
  const config = {
    model: MODEL,
    runtime: { workerId: 0, asyncRuntime: runtime, logger: recordingLogger(log) },
    ...(device && {
      deviceLayout: {
        numBlocks: device,
        allocator: watched(new DeviceAllocator({ runtime }), found('device')),
        ...filter,
      },
    }),
    ...(host && {
      hostLayout: { numBlocks: host, allocator: watched(new PinnedAllocator({ runtime }), found('host')), ...filter },
    }),
    ...(disk && {
      diskLayout: { numBlocks: disk.numBlocks, allocator: watchedDisk(disk.path, runtime, found('disk')) },
    }),
    ...more,
  }
  const manager = (await KvBlockManager.create(config as never, settings)) as unknown as Manager
  return {
    manager,
    faults,
    runtime,
    regions,
    log,
    [Symbol.asyncDispose]: async () => {
      faults.clear()
      await manager.close()
      await runtime.close()
    },
  }
}

export function recordingLogger(log: string[]): Logger {
  const at = (level: string) => (message: string) => void log.push(`${level}: ${message}`)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

function watched(inner: StorageAllocator, found: (storage: Storage) => void): StorageAllocator {
  return {
    kind: inner.kind,
    describe: () => inner.describe(),
    allocate: async (request) => {
      const storage = await inner.allocate(request)
      found(storage)
      return storage
    },
  }
}

function watchedDisk(path: string, runtime: NativeTransferRuntime, found: (storage: Storage) => void): DiskAllocator {
  const disk = new DiskAllocator(path, { runtime })
  const openSlots = disk.openSlots.bind(disk)
  disk.openSlots = async (options) => {
    const slots = await openSlots(options)
    found(slots.storage)
    return slots
  }
  return disk
}

/** `count` blocks of tokens, told apart by `first`. */
export function prompt(count: number, first = 1): Uint32Array {
  return Uint32Array.from({ length: count * MODEL.pageSize }, (_, index) => first * 1_000_000 + index)
}

/** Bytes that depend on the block's position and `seed`. */
export function content(count: number, seed = 1): Uint8Array {
  return Uint8Array.from(
    { length: count * BLOCK_BYTES },
    (_, index) => (index * 31 + Math.floor(index / BLOCK_BYTES) * 7 + seed * 13) & 0xff,
  )
}

/** Computes a prompt into the first tier: allocate, write, register. */
export async function compute(manager: Manager, count: number, seed = 1) {
  const hashes = manager.hash(prompt(count, seed))
  const fresh = manager.firstTier.allocate(count)
  await manager.write(fresh, content(count, seed))
  return { hashes, bytes: content(count, seed), kept: await manager.register(fresh, hashes) }
}

/** The same, brought down to `tier`, and forgotten everywhere above. */
export async function computeBelow(manager: Manager, tier: TierName, count: number, seed = 1) {
  const { hashes, bytes, kept } = await compute(manager, count, seed)
  const report = await manager.offload(kept, { to: tier })
  if (report.copied !== count) throw new Error(`only ${report.copied} of ${count} blocks went to ${tier}`)
  kept.release()
  await manager.firstTier.resetBlocks(hashes)
  return { hashes, bytes }
}

/** Bytes of a lease, joined. */
export async function readLease(manager: Manager, lease: Lease): Promise<Buffer> {
  return Buffer.concat(await Promise.all(lease.runs.map(({ blocks }) => manager.read(blocks))))
}

/** The pool behind a tier: handles name it. */
export function poolOf(manager: Manager, tier: TierName): BlockPool {
  using none = manager[tier].allocateUpTo(0)
  return none.pool as BlockPool
}

/** Every block of every tier is accounted for, and nobody holds one. */
export function expectNothingHeld(manager: Manager): void {
  for (const tier of manager.tiers) {
    const pool = poolOf(manager, tier)
    pool.checkInvariants()
    if (pool.held > 0) throw new Error(`${pool.held} blocks of the ${tier} tier are held`)
  }
}

/** Releases at the end of the scope, for handles that have no `using` of their own. */
export function releasing(...runs: readonly ImmutableBlocks[]): Disposable {
  return {
    [Symbol.dispose]: () => {
      for (const run of runs) run.release()
    },
  }
}
