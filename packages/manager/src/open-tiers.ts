import { modelFingerprint, type ResolvedConfig, type ResolvedLayout } from '@kvbm/config'
import {
  type AllocatorSpec,
  assert,
  BLOCKS_MAX,
  type BlockShape,
  blockBytes,
  DisposeStack,
  type EventManager,
  invalidArgument,
  KvbmError,
  type LayoutType,
  type Logger,
  layoutKind,
  type Storage,
  type StorageAllocator,
  type TierName,
} from '@kvbm/core'
import { createLayout, type Layout, layoutStorageBytes } from '@kvbm/layout'
import { BlockPool } from '@kvbm/pool'
import {
  createAllocator,
  type DiskAllocator,
  type NativeTransferRuntime,
  type SlotFile,
  type SlotReader,
  SystemAllocator,
} from '@kvbm/storage'
import { DISK_REGISTRAR } from './disk-registrar.js'
import { ReaderStore } from './reader-store.js'
import type { ManagerSettings } from './settings.js'
import { TierStore } from './tier-store.js'

export interface OpenTierOptions {
  readonly config: ResolvedConfig
  readonly shape: BlockShape
  readonly runtime: NativeTransferRuntime
  readonly settings: ManagerSettings
  readonly events: EventManager
  readonly logger: Logger
  /** Takes over everything that was opened, in order. */
  readonly owned: DisposeStack
}

/** Slots of at least this size begin at multiples of it; smaller ones are packed. */
const SLOT_ALIGNMENT = 4096

const GROWTH_MIN_BYTES = 2 ** 20
const GROWTH_MAX_BYTES = 256 * 2 ** 20

/** Opens one configured tier: its memory or file, its layout, its pool, and what a disk still holds from an earlier process. */
export async function openTier(
  name: TierName,
  layout: ResolvedLayout,
  options: OpenTierOptions,
): Promise<TierStore<TierName>> {
  return name === 'disk' ? openDiskTier(layout, options) : openMemoryTier(name, layout, options)
}

/** Memory for blocks on their way: one contiguous area, page-aligned, without names. */
export async function openStaging({ shape, runtime, settings, owned }: OpenTierOptions): Promise<TierStore<'staging'>> {
  const numBlocks = Math.max(1, Math.floor(settings.stagingBytes / blockBytes(shape)))
  const type: LayoutType = 'fully-contiguous'
  const [sizeBytes] = layoutStorageBytes({ type, shape, numBlocks })
  const request = { sizeBytes: sizeBytes!, label: 'staging' }
  const storages = [owned.use(await new SystemAllocator({ runtime }).allocate(request))]
  const pool = owned.use(new BlockPool({ numBlocks, pageSize: shape.pageSize, leaks: 'off' }))
  return new TierStore({
    name: 'staging',
    shape,
    pool,
    storages,
    layout: createLayout({ type, shape, numBlocks, storages }),
  })
}

function newPool(tier: TierName, layout: ResolvedLayout, { config, events, owned }: OpenTierOptions): BlockPool {
  const { pageSize, hashAlgorithm } = config.model
  const { numBlocks, duplicates } = layout
  const registrar = tier === 'disk' ? DISK_REGISTRAR : undefined
  const names = { pageSize, hashAlgorithm, duplicates, registrar }
  return owned.use(new BlockPool({ numBlocks, ...names, tier, eventManager: events }))
}

async function openMemoryTier(
  name: TierName,
  layout: ResolvedLayout,
  options: OpenTierOptions,
): Promise<TierStore<TierName>> {
  const { shape, settings, runtime } = options
  const pool = newPool(name, layout, options)
  const geometry = { type: layout.layoutType, shape, numBlocks: layout.numBlocks, alignment: layout.alignment }
  const storages = layout.storage ?? (await allocate(name, layout, layoutStorageBytes(geometry), options))
  for (const storage of storages)
    await expectKnown(name, storage, () => runtime.binding.alignmentOffset(storage.regionId, 1))
  const { poison } = settings
  return new TierStore({ name, shape, pool, storages, layout: createLayout({ ...geometry, storages }), poison })
}

async function allocate(
  name: TierName,
  layout: ResolvedLayout,
  sizes: readonly number[],
  { runtime, owned }: OpenTierOptions,
): Promise<Storage[]> {
  const allocator = memoryAllocator(layout, runtime)
  // Paged memory becomes real segment by segment, when its blocks are first used: the first one before that.
  const isPaged = layoutKind(layout.layoutType) === 'paged'
  const storages: Storage[] = []
  for (const [index, sizeBytes] of sizes.entries()) {
    const label = sizes.length === 1 ? name : `${name}-${index}`
    storages.push(owned.use(await allocator.allocate({ sizeBytes, lazy: isPaged && index > 0, label })))
  }
  return storages
}

/** The tier of the process that writes; where that is another one and sharing is allowed, one that reads beside it. */
async function openDiskTier(layout: ResolvedLayout, options: OpenTierOptions): Promise<TierStore<TierName>> {
  try {
    return await openWriterTier(layout, { ...options, reason: 'no other process had it' })
  } catch (error) {
    if (layout.access !== 'shared' || !KvbmError.is(error, 'KVBM_DIRECTORY_LOCKED')) throw error
    return openReaderTier(layout, options)
  }
}

/**
 * The tier of a process that read beside another one and writes from now on. Rejects with `DirectoryLockedError` while another process
 * writes, with `StorageIoError` where what was read is not in its place. Nothing stays open after a rejection.
 */
export async function takeOverDiskTier(
  layout: ResolvedLayout,
  options: OpenTierOptions & { readonly after: SlotReader },
): Promise<TierStore<TierName>> {
  const owned = new DisposeStack()
  try {
    const tier = await openWriterTier(layout, { ...options, owned, reason: 'the process that wrote before is gone' })
    options.owned.use(owned)
    return tier
  } catch (error) {
    await owned.close()
    throw error
  }
}

/** Blocks that leases of a reader can hold at once: a million tokens, at 16 tokens a block. */
const LEASED_BLOCKS_MAX = 65_536

async function openReaderTier(layout: ResolvedLayout, options: OpenTierOptions): Promise<ReaderStore> {
  const { config, shape, runtime, owned } = options
  const { pageSize, hashAlgorithm } = config.model
  const allocator = diskAllocator(layout.allocator, runtime)
  const wanted = { fingerprint: modelFingerprint(config.model), slotBytes: blockBytes(shape) }
  const reader = owned.use(await allocator.openSlotsReadOnly(wanted))
  const { slotBytes, slotStride } = reader
  // The next writer may have more slots than this one.
  const numSlots = Math.min(BLOCKS_MAX, Math.floor(reader.storage.sizeBytes / slotStride) - 1)
  const numBlocks = Math.min(layout.numBlocks, LEASED_BLOCKS_MAX)
  const pool = owned.use(new BlockPool({ numBlocks, pageSize, hashAlgorithm, tier: 'disk', registrar: DISK_REGISTRAR }))
  return new ReaderStore({
    shape,
    pool,
    reader,
    layoutOf: (storage) => slotLayout({ slotBytes, slotStride, storage, numSlots }, shape),
    directory: allocator.path,
    writer: 'another process writes it',
  })
}

async function openWriterTier(
  layout: ResolvedLayout,
  options: OpenTierOptions & { readonly reason: string; readonly after?: SlotReader },
): Promise<TierStore<TierName>> {
  const { shape, runtime, settings, reason } = options
  const slots = await openSlots(layout, options)
  const { storage } = slots
  await expectKnown('disk', storage, () => runtime.binding.readFile(storage.regionId, 0, 1))
  // A quota may leave fewer slots than were asked for.
  const pool = newPool('disk', { ...layout, numBlocks: slots.numSlots }, options)
  const parts = { shape, pool, storages: [storage], layout: slotLayout(slots, shape), slots }
  const role = { role: 'writer', reason } as const
  const { placeAgeMs } = settings
  const tier = new TierStore<TierName>({ name: 'disk', ...parts, role, placeAgeMs })
  restore(pool, slots)
  return tier
}

async function openSlots(
  { allocator, numBlocks }: ResolvedLayout,
  { config, shape, runtime, logger, owned, after }: OpenTierOptions & { readonly after?: SlotReader },
): Promise<SlotFile> {
  const fingerprint = modelFingerprint(config.model)
  const slotBytes = blockBytes(shape)
  const segmentBytes = growthBytes(numBlocks * slotBytes)
  const wanted = { fingerprint, numSlots: numBlocks, slotBytes, segmentBytes, after, logger }
  return owned.use(await diskAllocator(allocator, runtime).openSlots(wanted))
}

/** Bytes a disk tier grows by: a sixteenth of itself, so that a small one does not take all its space with its first block. */
function growthBytes(sizeBytes: number): number {
  return Math.min(GROWTH_MAX_BYTES, Math.max(GROWTH_MIN_BYTES, Math.ceil(sizeBytes / 16)))
}

/** Block id = slot: a slot is one whole block in canonical order. */
function slotLayout(
  { numSlots, slotBytes, slotStride, storage }: Pick<SlotFile, 'numSlots' | 'slotBytes' | 'slotStride' | 'storage'>,
  shape: BlockShape,
): Layout {
  const alignment = slotBytes < SLOT_ALIGNMENT ? 1 : SLOT_ALIGNMENT
  const layout = createLayout({
    type: 'fully-contiguous',
    shape,
    numBlocks: numSlots,
    storages: [storage],
    alignment,
  })
  assert(layout.offsetOf(numSlots - 1, 0, 0) === (numSlots - 1) * slotStride, 'blocks and slots lie apart')
  return layout
}

/** Block id = slot, so the columns of the scan are those of the pool, and nothing is copied. */
function restore(pool: BlockPool, { recovered }: SlotFile): void {
  const { slots, hashes, parents, positions, index } = recovered
  pool.restore({ ids: slots, hashes, parents, positions, index })
}

function diskAllocator(allocator: ResolvedLayout['allocator'], runtime: NativeTransferRuntime): DiskAllocator {
  if (allocator !== undefined && isSpec(allocator) && allocator.kind === 'disk')
    return createAllocator(allocator, runtime) as DiskAllocator
  if (isDiskAllocator(allocator)) return allocator
  throw invalidArgument('diskLayout.allocator', 'a DiskAllocator or { kind: "disk", path }', allocator)
}

/** By its methods, so that the allocator of another copy of the package is known, too. */
function isDiskAllocator(allocator: ResolvedLayout['allocator']): allocator is DiskAllocator {
  return typeof (allocator as Partial<DiskAllocator> | undefined)?.openSlots === 'function'
}

function memoryAllocator({ allocator }: ResolvedLayout, runtime: NativeTransferRuntime): StorageAllocator {
  if (allocator === undefined) throw invalidArgument('allocator', 'an allocator', allocator)
  return isSpec(allocator) ? createAllocator(allocator, runtime) : allocator
}

function isSpec(allocator: AllocatorSpec | StorageAllocator): allocator is AllocatorSpec {
  return !('allocate' in allocator)
}

/** A region means something only to the binding that made it. */
async function expectKnown(name: TierName, { regionId }: Storage, ask: () => unknown): Promise<void> {
  try {
    await ask()
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new TypeError(
      `${name}Layout: region ${regionId} is unknown to this manager's transfer runtime. Give the allocator and runtime.asyncRuntime the same runtime, or leave both out.`,
      { cause },
    )
  }
}

/** Blocks of two tiers in the same memory would overwrite each other. */
export function expectApart({ name, storages }: TierStore<TierName>, others: Iterable<TierStore<TierName>>): void {
  for (const other of others)
    for (const { regionId } of storages)
      if (other.storages.some((storage) => storage.regionId === regionId))
        throw new TypeError(
          `${name}Layout: its region ${regionId} is the memory of the ${other.name} tier, too: blocks would overwrite each other. Give each tier its own.`,
        )
}
