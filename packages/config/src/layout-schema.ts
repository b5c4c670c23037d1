import {
  ALIGNMENT_MAX,
  type AllocatorSpec,
  BLOCKS_MAX,
  ConfigError,
  LayoutType,
  type OffloadFilter,
  type Storage,
  type StorageAllocator,
} from '@kvbm/core'
import { z } from 'zod'
import { allocatorSchema, settledAllocator } from './allocator-schema.js'
import type { BlockParallelismStrategy } from './block-parallelism.js'
import { isByteSize, parseBytes } from './byte-size.js'
import { frozen, isRecord, unbuilt } from './draft.js'
import { ALWAYS, check, guarded, integer, report } from './issues.js'
import { isOffloadFilter, isStorage, isStrategy } from './structural.js'

/** The blocks of one tier, as written by hand. Exactly one of `numBlocks` and `bytes`. */
export interface LayoutInput {
  readonly numBlocks?: number | undefined
  /** Budget of the tier: `'4GiB'`, `'10GB'` or a number; as many whole blocks as fit. */
  readonly bytes?: number | string | undefined
  /** Default `LayoutType.FullyContiguous`. */
  readonly layoutType?: LayoutType | undefined
  /** Memory that exists already, for example of an inference engine. At most one of `storage`, `allocator`, `logical`. */
  readonly storage?: readonly Storage[] | undefined
  /** Default: `{ kind: 'device' }` for the device tier, `{ kind: 'pinned' }` for the host tier; a disk tier needs a path. */
  readonly allocator?: AllocatorSpec | StorageAllocator | undefined
  /** Blocks spread over worker processes. */
  readonly logical?: BlockParallelismStrategy | undefined
  /** Which blocks go to the next tier below. Default: all. */
  readonly offloadFilter?: OffloadFilter | undefined
  /** Blocks begin at multiples of this many bytes; a power of two of at most `ALIGNMENT_MAX`. */
  readonly alignment?: number | undefined
  /** Whether a block may be registered twice, each with its own bytes. Default `'allow'`. */
  readonly duplicates?: 'allow' | 'reject' | undefined
  /**
   * Only for the disk tier: `'exclusive'`, the default, refuses a directory that another process writes; with `'shared'` the first
   * process writes, later ones read beside it, and one of them goes on writing when it is gone.
   */
  readonly access?: 'exclusive' | 'shared' | undefined
}

/** The blocks of one tier, checked; what depends on the tier and the model is settled by the whole configuration. */
export interface LayoutConfig {
  readonly numBlocks?: number
  readonly bytes?: number
  readonly layoutType: LayoutType
  readonly storage?: readonly Storage[]
  readonly allocator?: AllocatorSpec | StorageAllocator
  readonly logical?: BlockParallelismStrategy
  readonly offloadFilter?: OffloadFilter
  readonly alignment?: number
  readonly duplicates: 'allow' | 'reject'
  readonly access?: 'exclusive' | 'shared'
}

const SOURCES = ['storage', 'allocator', 'logical'] as const

export function isLayoutType(value: unknown): value is LayoutType {
  if (typeof value === 'string') return value === 'fully-contiguous' || value === 'paged'
  if (!isRecord(value) || Object.keys(value).length !== 2) return false
  if (value.kind === 'layer-separate') return typeof value.outerContiguous === 'boolean'
  return value.kind === 'custom' && isStrategy(value.strategy)
}

export function isAlignment(value: unknown): value is number {
  return typeof value === 'number' && value >= 1 && value <= ALIGNMENT_MAX && Number.isInteger(Math.log2(value))
}

/** Fields of a layout and the rules between them. */
export const layoutSchema = z
  .strictObject({
    numBlocks: integer(1, BLOCKS_MAX).optional(),
    bytes: guarded<number | string>((value) => isByteSize(value) && parseBytes(value) >= 1).optional(),
    layoutType: guarded<LayoutType>(isLayoutType).optional(),
    storage: guarded<readonly Storage[]>(() => true).optional(),
    allocator: allocatorSchema.optional(),
    logical: z.enum(['leader-worker-sharded', 'leader-worker-replicated']).optional(),
    offloadFilter: guarded<OffloadFilter>(isOffloadFilter).optional(),
    alignment: guarded<number>(isAlignment).optional(),
    duplicates: z.enum(['allow', 'reject']).optional(),
    access: z.enum(['exclusive', 'shared']).optional(),
  })
  .superRefine((layout, context) => {
    if (!isRecord(layout)) return
    sizeRule(layout, context)
    sourceRule(layout, context)
  }, ALWAYS)

/** Checked fields of a layout, before defaults. */
export type LayoutFields = z.output<typeof layoutSchema>

function sizeRule({ numBlocks, bytes }: LayoutFields, context: z.RefinementCtx): void {
  if (numBlocks === undefined && bytes === undefined) {
    const remedy = "Give the size of the tier: numBlocks: 1000 or bytes: '4GiB'."
    report(context, ['numBlocks'], undefined, { rule: 'required: numBlocks or bytes', remedy })
  }
  if (numBlocks === undefined || bytes === undefined) return
  report(context, ['bytes'], bytes, { rule: 'only one of numBlocks and bytes', remedy: 'Leave one of the two out.' })
}

function sourceRule(layout: LayoutFields, context: z.RefinementCtx): void {
  const given = SOURCES.filter((name) => layout[name] !== undefined)
  if (given.length > 1) {
    const remedy = `Keep one of ${given.join(' and ')}; without any, the tier's own allocator is used.`
    report(context, [], given, { rule: `only one of ${SOURCES.join(', ')}`, remedy })
  } else if (layout.storage !== undefined) {
    storageRule(layout.storage, context)
  }
}

// Storages are examined only where they will be used: beside an allocator the choice between the two comes first.
function storageRule(storage: unknown, context: z.RefinementCtx): void {
  const list = Array.isArray(storage) ? storage : []
  if (list.length === 0) context.addIssue({ code: 'custom', path: ['storage'], input: storage })
  for (const [index, item] of list.entries()) {
    if (isStorage(item)) continue
    const rule = 'a storage: kind, sizeBytes, regionId, and bytes, commit and close methods'
    const remedy = 'Give what an allocator or wrapMemory() returned.'
    report(context, ['storage', String(index)], item, { rule, remedy })
  }
}

function settledLayoutType(type: LayoutType = LayoutType.FullyContiguous): LayoutType {
  return typeof type === 'string' ? type : Object.freeze({ ...type })
}

/** Fills the defaults that depend neither on the tier nor on the model. */
export function resolveLayout(fields: LayoutFields): LayoutConfig {
  const { numBlocks, bytes, layoutType, storage, allocator, logical, offloadFilter, alignment, duplicates, access } =
    fields
  return frozen<LayoutConfig>({
    numBlocks,
    bytes: bytes === undefined ? undefined : parseBytes(bytes),
    layoutType: settledLayoutType(layoutType),
    storage: storage === undefined ? undefined : Object.freeze([...storage]),
    allocator: allocator === undefined ? undefined : settledAllocator(allocator),
    logical,
    offloadFilter,
    alignment,
    duplicates: duplicates ?? 'allow',
    access,
  })
}

/** A checked layout from a plain object or a builder. Throws `ConfigError` with every violation. */
export function parseLayout(input: unknown): LayoutConfig {
  const checked = check(layoutSchema, unbuilt(input), ['layout'])
  if (!checked.ok) throw new ConfigError(checked.issues)
  return resolveLayout(checked.value)
}
