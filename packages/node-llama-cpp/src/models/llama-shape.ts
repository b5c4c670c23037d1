import { type GgmlType, ggmlType } from '../ggml-type.js'

/** Numbers of a decoder of the llama architecture. */
export interface LlamaShape {
  readonly layers: number
  readonly dim: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly feedForwardDim: number
  readonly vocabulary: number
  readonly contextTokens: number
  readonly ropeBase: number
  readonly normEpsilon: number
}

/** A matrix or vector of the architecture, by its name in GGUF. */
export interface LlamaTensor {
  readonly name: string
  readonly role: 'embedding' | 'norm' | 'matrix'
  readonly dims: readonly number[]
}

/** All tensors of a model whose output shares the embedding's weights unless `separateOutput`. */
export function llamaTensors(
  shape: LlamaShape,
  { separateOutput }: { readonly separateOutput: boolean },
): LlamaTensor[] {
  const { dim, vocabulary } = shape
  return [
    { name: 'token_embd.weight', role: 'embedding', dims: [dim, vocabulary] },
    ...Array.from({ length: shape.layers }, (_, layer) => layerTensors(shape, layer)).flat(),
    { name: 'output_norm.weight', role: 'norm', dims: [dim] },
    ...(separateOutput ? [{ name: 'output.weight', role: 'embedding', dims: [dim, vocabulary] } as const] : []),
  ]
}

function layerTensors(shape: LlamaShape, layer: number): LlamaTensor[] {
  const { dim, feedForwardDim } = shape
  const queryDim = shape.heads * shape.headDim
  const keyDim = shape.kvHeads * shape.headDim
  const norm = (name: string): LlamaTensor => ({ name: `blk.${layer}.${name}.weight`, role: 'norm', dims: [dim] })
  const matrix = (name: string, from: number, to: number): LlamaTensor => ({
    name: `blk.${layer}.${name}.weight`,
    role: 'matrix',
    dims: [from, to],
  })
  return [
    norm('attn_norm'),
    matrix('attn_q', dim, queryDim),
    matrix('attn_k', dim, keyDim),
    matrix('attn_v', dim, keyDim),
    matrix('attn_output', queryDim, dim),
    norm('ffn_norm'),
    matrix('ffn_gate', dim, feedForwardDim),
    matrix('ffn_up', dim, feedForwardDim),
    matrix('ffn_down', feedForwardDim, dim),
  ]
}

/** The type a tensor is stored in, when matrices and embedding have the given ones: vectors are always F32. */
export function tensorType(
  tensor: LlamaTensor,
  types: { readonly matrix: GgmlType; readonly embedding: GgmlType },
): GgmlType {
  return tensor.role === 'norm' ? F32 : types[tensor.role]
}

const F32 = ggmlType(0)!
