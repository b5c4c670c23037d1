import type { KvSupport } from '@kvbm/connector'
import type { GgufFileInfo, LlamaContext, LlamaModel } from 'node-llama-cpp'
import { type GgmlType, ggmlType } from '../ggml-type.js'
import type { RowFormat, StateGeometry } from '../state-file/state-geometry.js'

/** What a context's KV looks like by the model's metadata, and whether every layer has that. */
export interface KvShape {
  readonly geometry: StateGeometry
  readonly support: KvSupport
}

/** What is asked of a model's metadata. Numbers may stand there once for each layer. */
type Attention = NonNullable<GgufFileInfo['architectureMetadata']['attention']>
type PerLayer = number | readonly number[] | undefined

/** Elements of a row of one kind; undefined where layers differ. */
interface Widths {
  readonly key: number | undefined
  readonly value: number | undefined
}

const F16 = ggmlType(1)!

/**
 * Derives the geometry from the model's metadata, so that it is known before anything was evaluated. It is held against the engine's own
 * words at each capture. Where layers differ there is a stand-in, so that status pages have something to show.
 */
export function kvShapeOf({ model, kvCacheKeyType, kvCacheValueType }: LlamaContext): KvShape {
  const numLayers = Number(model.fileInfo.architectureMetadata.block_count ?? 0)
  const widths = widthsOf(model)
  const key = rowFormat(ggmlType(kvCacheKeyType), widths.key)
  const value = rowFormat(ggmlType(kvCacheValueType), widths.value)
  const standIn: RowFormat = { type: F16, rowBytes: F16.blockBytes }
  const geometry = {
    numLayers: Math.max(1, numLayers),
    key: key ?? standIn,
    value: isLatent(model) ? undefined : (value ?? standIn),
  }
  if (widths.key === undefined || widths.value === undefined) return { geometry, support: unequal(model) }
  if (key === undefined || value === undefined || numLayers < 1) return { geometry, support: unknown(model) }
  return { geometry, support: { ok: true } }
}

/** Keys carry the values, too (multi-head latent attention): the cache has no value rows. */
export function isLatent(model: LlamaModel): boolean {
  const attention = attentionOf(model) as { key_length_mla?: number; value_length_mla?: number } | undefined
  return Boolean(attention?.key_length_mla) && Boolean(attention?.value_length_mla)
}

function widthsOf(model: LlamaModel): Widths {
  const attention = attentionOf(model)
  const { embedding_length: embedding } = model.fileInfo.architectureMetadata
  const heads = single(attention?.head_count as PerLayer)
  const kvHeads = attention?.head_count_kv === undefined ? heads : single(attention.head_count_kv as PerLayer)
  const headDim = embedding !== undefined && heads !== undefined ? Math.floor(embedding / heads) : undefined
  const width = (length: number | undefined): number | undefined =>
    kvHeads === undefined || (length ?? headDim) === undefined ? undefined : kvHeads * (length ?? headDim)!
  return { key: width(attention?.key_length), value: width(attention?.value_length) }
}

function attentionOf(model: LlamaModel): Attention | undefined {
  return model.fileInfo.architectureMetadata.attention as Attention | undefined
}

/** The one number of all layers; undefined where they differ. */
function single(numbers: PerLayer): number | undefined {
  if (numbers === undefined || typeof numbers === 'number') return numbers
  return numbers.every((one) => one === numbers[0]) ? numbers[0] : undefined
}

/** Undefined for a type we do not know, or rows that are no whole number of its blocks. */
function rowFormat(type: GgmlType | undefined, elements: number | undefined): RowFormat | undefined {
  if (type === undefined || !elements || elements % type.blockElements !== 0) return undefined
  return { type, rowBytes: (elements / type.blockElements) * type.blockBytes }
}

function unequal(model: LlamaModel): KvSupport {
  const detail = `Layers of ${model.architecture} have KV rows of different widths; blocks need one width.`
  return { ok: false, reason: 'unequal-layers', detail }
}

function unknown(model: LlamaModel): KvSupport {
  const detail = `How ${model.architecture} keeps its KV in this context is not known to this version.`
  return { ok: false, reason: 'unknown-format', detail }
}
