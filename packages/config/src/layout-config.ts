import type { AllocatorSpec, LayoutType, OffloadFilter, Storage, StorageAllocator } from '@kvbm/core'
import type { BlockParallelismStrategy } from './block-parallelism.js'
import { type Complete, DRAFT, type Draft, type MISSING, type Unbuilt } from './draft.js'
import { type LayoutConfig, type LayoutInput, parseLayout } from './layout-schema.js'

type Field = 'numBlocks'

/** Fluent, immutable sugar over the plain object; the type remembers whether the tier has a size. */
export class LayoutBuilder<Unset extends Field = Field> {
  readonly [DRAFT]: Draft & { readonly part?: 'layout' }
  declare readonly [MISSING]?: Unset

  constructor(draft: Draft = {}) {
    this[DRAFT] = Object.freeze(draft)
    Object.freeze(this)
  }

  #with<Missing extends Field = Unset>(field: keyof LayoutInput, value: unknown): LayoutBuilder<Missing> {
    return new LayoutBuilder({ ...this[DRAFT], [field]: value })
  }

  numBlocks(value: number): LayoutBuilder<never> {
    return this.#with<never>('numBlocks', value)
  }

  /** Budget of the tier instead of a number of blocks: `'4GiB'`, `'10GB'` or a number. */
  bytes(value: number | string): LayoutBuilder<never> {
    return this.#with<never>('bytes', value)
  }

  layoutType(value: LayoutType): LayoutBuilder<Unset> {
    return this.#with('layoutType', value)
  }

  /** Memory that exists already, for example of an inference engine. */
  storage(value: readonly Storage[]): LayoutBuilder<Unset> {
    return this.#with('storage', value)
  }

  /** An allocator, or its description as data. */
  allocator(value: AllocatorSpec | StorageAllocator): LayoutBuilder<Unset> {
    return this.#with('allocator', value)
  }

  /** Blocks spread over worker processes. */
  logical(value: BlockParallelismStrategy): LayoutBuilder<Unset> {
    return this.#with('logical', value)
  }

  /** Which blocks go to the next tier below. */
  offloadFilter(value: OffloadFilter): LayoutBuilder<Unset> {
    return this.#with('offloadFilter', value)
  }

  /** Blocks begin at multiples of this many bytes; a power of two of at most `ALIGNMENT_MAX`. */
  alignment(value: number): LayoutBuilder<Unset> {
    return this.#with('alignment', value)
  }

  duplicates(value: 'allow' | 'reject'): LayoutBuilder<Unset> {
    return this.#with('duplicates', value)
  }

  /** Whether other processes may read this disk tier beside the one that writes it, and take over from it. */
  access(value: 'exclusive' | 'shared'): LayoutBuilder<Unset> {
    return this.#with('access', value)
  }

  /** Checks this part. Throws `ConfigError` with every violation that shows without tier and model. */
  build(this: Complete<LayoutBuilder<Unset>, Unset>): KvManagerLayoutConfig {
    return parseLayout(this)
  }
}

/** What a parent takes as a layout. */
export type LayoutPart = LayoutInput | Unbuilt<'layout'>

/** The blocks of one tier, checked; what depends on the tier and the model is settled by the whole configuration. */
export type KvManagerLayoutConfig = LayoutConfig

export const KvManagerLayoutConfig = Object.freeze({
  builder: (): LayoutBuilder => new LayoutBuilder(),
  /** A checked layout from a plain object or a builder. Throws `ConfigError` with every violation. */
  parse: (input: LayoutPart): KvManagerLayoutConfig => parseLayout(input),
})
