import type { LlamaShape } from './llama-shape.js'
import type { GgufContent, GgufValue } from './write-gguf.js'

type Metadata = GgufContent['metadata']

export const u32 = (value: number): GgufValue => ({ kind: 'u32', value })
export const text = (value: string): GgufValue => ({ kind: 'text', value })

/** What llama.cpp must know of a shape. */
export function llamaMetadata(name: string, shape: LlamaShape): Metadata {
  const attention = 'llama.attention'
  return [
    ['general.architecture', text('llama')],
    ['general.name', text(name)],
    ['llama.vocab_size', u32(shape.vocabulary)],
    ['llama.context_length', u32(shape.contextTokens)],
    ['llama.embedding_length', u32(shape.dim)],
    ['llama.block_count', u32(shape.layers)],
    ['llama.feed_forward_length', u32(shape.feedForwardDim)],
    ['llama.rope.dimension_count', u32(shape.headDim)],
    ['llama.rope.freq_base', { kind: 'f32', value: shape.ropeBase }],
    [`${attention}.head_count`, u32(shape.heads)],
    [`${attention}.head_count_kv`, u32(shape.kvHeads)],
    [`${attention}.key_length`, u32(shape.headDim)],
    [`${attention}.value_length`, u32(shape.headDim)],
    [`${attention}.layer_norm_rms_epsilon`, { kind: 'f32', value: shape.normEpsilon }],
  ]
}

/** Kinds of tokens in GGUF. */
export const TOKEN_KINDS = { normal: 1, unknown: 2, control: 3, byte: 6 } as const
