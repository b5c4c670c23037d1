import { modelFingerprint, type ResolvedConfig, type ResolvedLayout } from '@kvbm/config'
import {
  type AllocatorSpec,
  type BlockShape,
  blockBytes,
  type DisposeStack,
  type EventManager,
  invalidArgument,
  type LayoutType,
  layoutKind,
  type Storage,
  type StorageAllocator,
  type TierName,
} from '@kvbm/core'
import { createLayout, layoutStorageBytes } from '@kvbm/layout'
import { BlockPool } from '@kvbm/pool'
import {
  createAllocator,
  DiskAllocator,
  type NativeTransferRuntime,
  type SlotFile,
  SystemAllocator,
} from '@kvbm/storage'
import { restorable } from './restorable.js'
import type { ManagerSettings } from './settings.js'
import { TierStore } from './tier.js'

export interface OpenTierOptions {
  readonly config: ResolvedConfig
  readonly shape: BlockShape
  readonly runtime: NativeTransferRuntime
  readonly settings: ManagerSettings
  readonly events: EventManager
  /** Takes over everything that was opened, in order. */
  readonly owned: DisposeStack
}

/** Opens one configured tier: its memory or file, its layout, its pool, and what a disk still holds from an earlier process. */
export async function openTier(name: TierName, layout: ResolvedLayout, options: OpenTierOptions): Promise<TierStore> {
  const pool = options.owned.use(newPool(name, layout, options))
  return name === 'disk' ? openDiskTier(layout, pool, options) : openMemoryTier(name, layout, pool, options)
}

/** Memory for blocks on their way: one contiguous area, page-aligned, without names. */
export async function openStaging({ shape, runtime, settings, owned }: OpenTierOptions): Promise<TierStore> {
  const numBlocks = Math.max(1, Math.floor(settings.stagingBytes / blockBytes(shape)))
  const pool = owned.use(new BlockPool({ numBlocks, pageSize: shape.pageSize, leaks: 'off' }))
  const type: LayoutType = 'fully-contiguous'
  const storages = await allocateAll(
    new SystemAllocator({ runtime }),
    'staging',
    layoutStorageBytes({ type, shape, numBlocks }),
    owned,
    true,
  )
  return new TierStore({
    name: 'staging',
    shape,
    pool,
    storages,
    layout: createLayout({ type, shape, numBlocks, storages }),
  })
}

function newPool(tier: TierName, layout: ResolvedLayout, { config, events }: OpenTierOptions): BlockPool {
  const { pageSize, hashAlgorithm } = config.model
  return new BlockPool({
    numBlocks: layout.numBlocks,
    pageSize,
    hashAlgorithm,
    tier,
    duplicates: layout.duplicates,
    eventManager: events,
  })
}

async function openMemoryTier(
  name: TierName,
  layout: ResolvedLayout,
  pool: BlockPool,
  options: OpenTierOptions,
): Promise<TierStore> {
  const { shape, settings, owned } = options
  const geometry = { type: layout.layoutType, shape, numBlocks: layout.numBlocks, alignment: layout.alignment }
  const storages =
    layout.storage ??
    (await allocateAll(
      memoryAllocator(layout, options.runtime),
      name,
      layoutStorageBytes(geometry),
      owned,
      isPaged(layout),
    ))
  return new TierStore({
    name,
    shape,
    pool,
    storages,
    layout: createLayout({ ...geometry, storages }),
    poison: settings.poison,
  })
}

async function openDiskTier(layout: ResolvedLayout, pool: BlockPool, options: OpenTierOptions): Promise<TierStore> {
  const { config, shape, owned } = options
  const slots = owned.use(await openSlots(layout, options))
  const stride =
    slots.slotStride === blockBytes(shape) ? 1 : slots.slotStride - blockBytes(shape) < 4096 ? 4096 : slots.slotStride
  const disk = createLayout({
    type: 'fully-contiguous',
    shape,
    numBlocks: layout.numBlocks,
    storages: [slots.storage],
    alignment: stride,
  })
  const tier = new TierStore({ name: 'disk', shape, pool, storages: [slots.storage], layout: disk, slots })
  const found = restorable(slots.recovered)
  pool.restore({ ids: found.slots, hashes: found.hashes, parents: found.parents, positions: found.positions })
  for (const [index, slot] of found.slots.entries()) tier.recordChecksum(slot, found.checksums[index]!)
  void config
  return tier
}

async function openSlots(layout: ResolvedLayout, { config, shape, runtime }: OpenTierOptions): Promise<SlotFile> {
  const allocator = diskAllocator(layout.allocator, runtime)
  const { logger } = config.runtime
  return allocator.openSlots({
    fingerprint: modelFingerprint(config.model),
    numSlots: layout.numBlocks,
    slotBytes: blockBytes(shape),
    logger,
  })
}

function diskAllocator(allocator: ResolvedLayout['allocator'], runtime: NativeTransferRuntime): DiskAllocator {
  if (allocator instanceof DiskAllocator) return allocator
  if (allocator !== undefined && isSpec(allocator) && allocator.kind === 'disk')
    return new DiskAllocator(allocator.path, { runtime })
  throw invalidArgument('diskLayout.allocator', 'a DiskAllocator or { kind: "disk", path }', allocator)
}

function memoryAllocator(layout: ResolvedLayout, runtime: NativeTransferRuntime): StorageAllocator {
  const { allocator } = layout
  if (allocator === undefined) throw invalidArgument('allocator', 'an allocator', allocator)
  return isSpec(allocator) ? createAllocator(allocator, runtime) : allocator
}

function isSpec(allocator: AllocatorSpec | StorageAllocator): allocator is AllocatorSpec {
  return !('allocate' in allocator)
}

function isPaged(layout: ResolvedLayout): boolean {
  return layoutKind(layout.layoutType) === 'paged'
}

async function allocateAll(
  allocator: StorageAllocator,
  label: string,
  sizes: readonly number[],
  owned: DisposeStack,
  lazy: boolean,
): Promise<Storage[]> {
  const storages: Storage[] = []
  for (const [index, sizeBytes] of sizes.entries()) {
    storages.push(
      owned.use(await allocator.allocate({ sizeBytes, lazy, label: sizes.length === 1 ? label : `${label}-${index}` })),
    )
  }
  return storages
}
