import type {
  AllocatorSpec,
  ConfigIssue,
  EventManager,
  LayoutType,
  OffloadFilter,
  Storage,
  StorageAllocator,
  TierName,
} from '@kvbm/core'
import type { BlockParallelismStrategy } from './block-parallelism.js'
import type { TIERS } from './config-input.js'
import type { ModelConfig } from './model-schema.js'
import type { RuntimeConfig } from './runtime-schema.js'

/** The blocks of one tier, complete. Exactly one of `storage`, `allocator` and `logical` is present. */
export interface ResolvedLayout {
  readonly numBlocks: number
  readonly layoutType: LayoutType
  readonly storage?: readonly Storage[]
  readonly allocator?: AllocatorSpec | StorageAllocator
  readonly logical?: BlockParallelismStrategy
  readonly offloadFilter?: OffloadFilter
  readonly alignment?: number
  readonly duplicates: 'allow' | 'reject'
  /** Only of the disk tier; absent: `'exclusive'`. */
  readonly access?: 'exclusive' | 'shared'
}

/** A whole configuration, checked, complete and frozen. `Tiers` are those that the type knows to be there. */
export interface ResolvedConfig<Tiers extends TierName = TierName> {
  /** Only in types. */
  readonly [TIERS]?: Tiers
  readonly runtime: RuntimeConfig
  readonly model: ModelConfig
  readonly deviceLayout?: ResolvedLayout
  readonly hostLayout?: ResolvedLayout
  readonly diskLayout?: ResolvedLayout
  readonly eventManager?: EventManager
  readonly integrity: boolean
  /** What is allowed but probably not meant. Not enumerable: a spread copy is judged anew. */
  readonly warnings: readonly ConfigIssue[]
}
