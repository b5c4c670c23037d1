import type { DType, HashAlgorithm, InnerOrder, OpaqueDType } from '@kvbm/core'
import { type Complete, DRAFT, type Draft, type MISSING, type Unbuilt } from './draft.js'
import { type ModelConfig, type ModelInput, parseModel } from './model-schema.js'

type Field = 'numLayers' | 'outerDim' | 'pageSize' | 'innerDim' | 'kvHeads' | 'headDim'

/** What is still missing when the fields `Unset` were not given: heads may stand for `innerDim`. */
type MissingOf<Unset extends Field> =
  | Exclude<Unset, 'innerDim' | 'kvHeads' | 'headDim'>
  | ('innerDim' extends Unset ? (Extract<Unset, 'kvHeads' | 'headDim'> extends never ? never : 'innerDim') : never)

/** Fluent, immutable sugar over the plain object; the type remembers which required fields are not given yet. */
export class ModelBuilder<Unset extends Field = Field> {
  readonly [DRAFT]: Draft & { readonly part?: 'model' }
  declare readonly [MISSING]?: MissingOf<Unset>

  constructor(draft: Draft = {}) {
    this[DRAFT] = Object.freeze(draft)
    Object.freeze(this)
  }

  #with<Given extends Field = never>(field: keyof ModelInput, value: unknown): ModelBuilder<Exclude<Unset, Given>> {
    return new ModelBuilder({ ...this[DRAFT], [field]: value })
  }

  modelId(value: string): ModelBuilder<Unset> {
    return this.#with('modelId', value)
  }

  numLayers(value: number): ModelBuilder<Exclude<Unset, 'numLayers'>> {
    return this.#with<'numLayers'>('numLayers', value)
  }

  /** 2 for key and value, 1 for a fused cache (MLA). */
  outerDim(value: number): ModelBuilder<Exclude<Unset, 'outerDim'>> {
    return this.#with<'outerDim'>('outerDim', value)
  }

  /** Tokens per block. */
  pageSize(value: number): ModelBuilder<Exclude<Unset, 'pageSize'>> {
    return this.#with<'pageSize'>('pageSize', value)
  }

  /** Elements per token, layer and outer entry: KV heads × head size. */
  innerDim(value: number): ModelBuilder<Exclude<Unset, 'innerDim'>> {
    return this.#with<'innerDim'>('innerDim', value)
  }

  kvHeads(value: number): ModelBuilder<Exclude<Unset, 'kvHeads'>> {
    return this.#with<'kvHeads'>('kvHeads', value)
  }

  headDim(value: number): ModelBuilder<Exclude<Unset, 'headDim'>> {
    return this.#with<'headDim'>('headDim', value)
  }

  /** Default fp16. An opaque dtype gives the row's bytes itself, so `innerDim` may be left out. */
  dtype<const D extends DType>(value: D): ModelBuilder<[D] extends [OpaqueDType] ? Exclude<Unset, 'innerDim'> : Unset> {
    return this.#with('dtype', value) as never
  }

  /** Bytes of one element: 1 (fp8-e4m3), 2 (fp16) or 4 (fp32). Must agree with `dtype` when both are given. */
  dtypeWidthBytes(value: number): ModelBuilder<Unset> {
    return this.#with('dtypeWidthBytes', value)
  }

  innerOrder(value: InnerOrder): ModelBuilder<Unset> {
    return this.#with('innerOrder', value)
  }

  hashAlgorithm(value: HashAlgorithm): ModelBuilder<Unset> {
    return this.#with('hashAlgorithm', value)
  }

  /** Checks and completes this part. Throws `ConfigError` with every violation. */
  build(this: Complete<ModelBuilder<Unset>, MissingOf<Unset>>): KvManagerModelConfig {
    return parseModel(this)
  }
}

/** What a parent takes as its model. */
export type ModelPart = ModelInput | Unbuilt<'model'>

/** The shape of a model's KV cache, checked and complete. */
export type KvManagerModelConfig = ModelConfig

export const KvManagerModelConfig = Object.freeze({
  builder: (): ModelBuilder => new ModelBuilder(),
  /** A complete model from a plain object or a builder. Throws `ConfigError` with every violation. */
  parse: (input: ModelPart): KvManagerModelConfig => parseModel(input),
})
