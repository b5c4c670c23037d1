import {
  type AllocatorSpec,
  BLOCKS_MAX,
  type BlockShape,
  type EventManager,
  layoutKind,
  type StorageAllocator,
  type StorageKind,
  TIER_NAMES,
  type TierName,
} from '@kvbm/core'
import { z } from 'zod'
import { blockRoom } from './block-room.js'
import { formatBytes, isByteSize, parseBytes } from './byte-size.js'
import { isRecord } from './draft.js'
import { ALWAYS, guarded, report } from './issues.js'
import { isAlignment, isLayoutType, type LayoutFields, layoutSchema } from './layout-schema.js'
import { modelSchema, resolveModel } from './model-schema.js'
import { runtimeSchema } from './runtime-schema.js'
import { isAllocator, isEventManager, isStorage } from './structural.js'

/** What a tier's memory may be. The first is what an allocator of its own would give. */
const ALLOCATOR_KINDS: Readonly<Record<TierName, readonly StorageKind[]>> = {
  device: ['device'],
  host: ['pinned', 'system'],
  disk: ['disk'],
}

/** Memory handed over for a tier: a CPU engine's device is ordinary memory. A disk tier keeps its own files. */
const STORAGE_KINDS: Readonly<Record<TierName, readonly StorageKind[]>> = {
  device: ['device', 'pinned', 'system'],
  host: ['pinned', 'system'],
  disk: [],
}

/** Fields of a whole configuration and the rules between its parts. */
export const managerSchema = z
  .strictObject({
    runtime: runtimeSchema.optional(),
    model: modelSchema,
    deviceLayout: layoutSchema.optional(),
    hostLayout: layoutSchema.optional(),
    diskLayout: layoutSchema.optional(),
    eventManager: guarded<EventManager>(isEventManager).optional(),
    integrity: z.boolean().optional(),
  })
  .superRefine((config, context) => {
    if (!isRecord(config)) return
    anyTierRule(config, context)
    for (const tier of TIER_NAMES) tierRules(tier, config, context)
    ownMemoryRule(config, context)
  }, ALWAYS)

type Fields = z.output<typeof managerSchema>

function anyTierRule(config: Fields, context: z.RefinementCtx): void {
  if (TIER_NAMES.some((tier) => config[`${tier}Layout`] !== undefined)) return
  const rule = 'at least one of deviceLayout, hostLayout and diskLayout'
  report(context, ['deviceLayout'], undefined, {
    rule,
    remedy: "Add a tier, for example hostLayout: { bytes: '4GiB' }.",
  })
}

function tierRules(tier: TierName, config: Fields, context: z.RefinementCtx): void {
  const layout = config[`${tier}Layout`]
  if (!isRecord(layout)) return
  allocatorRule(tier, layout, context)
  storageKindRule(tier, layout, context)
  if (tier === 'disk') diskRules(layout, context)
  else memoryRules(tier, layout, context)
  capacityRule(tier, layout, config.model, context)
}

function allocatorRule(tier: TierName, { allocator }: LayoutFields, context: z.RefinementCtx): void {
  const kind = isRecord(allocator) ? allocator.kind : undefined
  if (!isStorageKind(kind) || ALLOCATOR_KINDS[tier].includes(kind)) return
  report(context, [`${tier}Layout`, 'allocator'], allocator, {
    rule: `an allocator for the ${tier} tier: ${quoted(ALLOCATOR_KINDS[tier])}`,
    remedy: `A ${kind} allocator belongs to the ${tierOf(kind)} tier. Move it there, or ${ownAllocator(tier)}.`,
  })
}

function ownAllocator(tier: TierName): string {
  if (tier === 'disk') return "give { kind: 'disk', path: './kv-cache' }"
  return `leave it out for { kind: '${ALLOCATOR_KINDS[tier][0]}' }`
}

function storageKindRule(tier: TierName, { storage, allocator }: LayoutFields, context: z.RefinementCtx): void {
  if (storage === undefined || allocator !== undefined || !Array.isArray(storage)) return
  const wrong = storage.filter((item) => isStorage(item) && !STORAGE_KINDS[tier].includes(item.kind))
  if (wrong.length === 0) return
  const kinds = wrong.map((item) => item.kind)
  if (tier === 'disk') report(context, ['diskLayout', 'storage'], kinds, DISK_STORAGE)
  else {
    const rule = `storages for the ${tier} tier: ${quoted(STORAGE_KINDS[tier])}`
    report(context, [`${tier}Layout`, 'storage'], kinds, { rule, remedy: 'Move them to the tier of their kind.' })
  }
}

/** Blocks of two tiers in the same memory would overwrite each other. A disk tier is given none. */
function ownMemoryRule({ deviceLayout, hostLayout }: Fields, context: z.RefinementCtx): void {
  const taken = regionsOf(deviceLayout)
  const shared = regionsOf(hostLayout).filter((region) => taken.includes(region))
  if (shared.length === 0) return
  report(context, ['hostLayout', 'storage'], shared, {
    rule: 'memory that deviceLayout.storage does not have, too: blocks would overlap in these regions',
    remedy: 'Give each tier its own, or leave hostLayout.storage out.',
  })
}

function regionsOf(layout: unknown): number[] {
  const storages = isRecord(layout) && Array.isArray(layout.storage) ? layout.storage : []
  return storages.filter(isStorage).map(({ regionId }) => regionId)
}

const DISK_STORAGE = {
  rule: 'no storage: the disk tier keeps a table of records beside its data',
  remedy: "Give a directory instead: allocator: { kind: 'disk', path: './kv-cache' }.",
}

function diskRules(layout: LayoutFields, context: z.RefinementCtx): void {
  const { allocator, storage, logical, layoutType } = layout
  const unset = allocator === undefined && storage === undefined && logical === undefined
  if (unset || pathless(allocator)) {
    report(context, ['diskLayout', 'allocator', 'path'], undefined, {
      rule: 'required: the path of a directory',
      remedy: "Say where the blocks are kept, for example allocator: { kind: 'disk', path: './kv-cache' }.",
    })
  }
  if (!isRecord(layoutType)) return
  report(context, ['diskLayout', 'layoutType'], layoutKind(layoutType), {
    rule: "'fully-contiguous' or 'paged', which are the same on disk: a slot holds one whole block",
    remedy: 'Leave layoutType out; blocks are converted on their way to and from disk.',
  })
}

/** Memory is its process's own. */
function memoryRules(tier: TierName, { access }: LayoutFields, context: z.RefinementCtx): void {
  if (access !== 'shared') return
  report(context, [`${tier}Layout`, 'access'], access, {
    rule: "'exclusive': only a disk tier can be shared",
    remedy: 'Leave it out, or move it to diskLayout.',
  })
}

/** An instance that has a path and was given none; what is data is judged by its schema. */
function pathless(allocator: unknown): boolean {
  return isAllocator(allocator) && allocator.kind === 'disk' && 'path' in allocator && !allocator.path
}

/** Sizes that only the model can judge; skipped while the model or the size itself is in error. */
function capacityRule(tier: TierName, layout: LayoutFields, model: unknown, context: z.RefinementCtx): void {
  const shape = modelShape(model)
  if (shape === undefined) return
  const perBlock = blockRoom({ tier, ...placing(layout) }, shape)
  const { numBlocks, bytes } = layout
  if (isByteSize(bytes) && parseBytes(bytes) >= 1) budgetRule(tier, bytes, perBlock, context)
  if (isBlockCount(numBlocks) && numBlocks * perBlock > Number.MAX_SAFE_INTEGER) {
    const rule = `at most ${Math.floor(Number.MAX_SAFE_INTEGER / perBlock)} blocks of ${perBlock} bytes (2^53 bytes)`
    report(context, [`${tier}Layout`, 'numBlocks'], numBlocks, { rule, remedy: 'Lower numBlocks.' })
  }
}

/** Room for at least one block, and for no more than a pool can have. */
function budgetRule(tier: TierName, bytes: number | string, perBlock: number, context: z.RefinementCtx): void {
  const blocks = Math.floor(parseBytes(bytes) / perBlock)
  if (blocks >= 1 && blocks <= BLOCKS_MAX) return
  const rule =
    blocks < 1
      ? `room for at least one block of ${perBlock} bytes`
      : `at most ${BLOCKS_MAX} blocks of ${perBlock} bytes, ${formatBytes(BLOCKS_MAX * perBlock)}`
  const remedy =
    blocks < 1
      ? `Raise it, or lower pageSize. 1000 blocks take ${formatBytes(perBlock * 1000)}.`
      : 'Lower it, or raise pageSize for fewer and larger blocks.'
  report(context, [`${tier}Layout`, 'bytes'], bytes, { rule, remedy })
}

/** What is wrong in itself has its own issue already, and does not decide how much room a block takes. */
function placing({ layoutType, alignment }: LayoutFields): Pick<LayoutFields, 'layoutType' | 'alignment'> {
  return {
    layoutType: isLayoutType(layoutType) ? layoutType : undefined,
    alignment: isAlignment(alignment) ? alignment : undefined,
  }
}

function isBlockCount(numBlocks: unknown): numBlocks is number {
  return Number.isSafeInteger(numBlocks) && (numBlocks as number) <= BLOCKS_MAX
}

function modelShape(model: unknown): BlockShape | undefined {
  const parsed = modelSchema.safeParse(model)
  return parsed.success ? resolveModel(parsed.data) : undefined
}

function isStorageKind(kind: unknown): kind is StorageKind {
  return kind === 'device' || kind === 'pinned' || kind === 'system' || kind === 'disk'
}

function tierOf(kind: StorageKind): TierName {
  return kind === 'pinned' || kind === 'system' ? 'host' : kind
}

function quoted(kinds: readonly string[]): string {
  return kinds.map((kind) => `'${kind}'`).join(' or ')
}

/** The allocator of a tier that was given none; undefined where memory or workers stand in its place. */
export function tierAllocator(tier: TierName, layout: LayoutFields): AllocatorSpec | StorageAllocator | undefined {
  if (layout.storage !== undefined || layout.logical !== undefined || tier === 'disk') return layout.allocator
  return layout.allocator ?? (tier === 'device' ? Object.freeze({ kind: 'device' }) : Object.freeze({ kind: 'pinned' }))
}
