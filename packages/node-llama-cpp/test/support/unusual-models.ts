import { ggmlType } from '../../src/ggml-type.js'
import { text, u32 } from '../../src/models/llama-metadata.js'
import { noiseVocabulary } from '../../src/models/noise-vocabulary.js'
import { ones, randomWeights } from '../../src/models/random-weights.js'
import { type GgufContent, type GgufTensor, type GgufValue, writeGguf } from '../../src/models/write-gguf.js'

const [LAYERS, DIM, HEADS, KV_HEADS, HEAD_DIM, FEED, VOCABULARY] = [6, 64, 2, 1, 32, 128, 512]
const F32 = ggmlType(0)!
const f32 = (value: number): GgufValue => ({ kind: 'f32', value })

/** A random model with the attention of Gemma 3: most layers see the last 64 tokens only. */
export function writeSlidingModel(path: string): Promise<number> {
  return writeGguf(path, content('gemma3', slidingFacts(), [...Array(LAYERS).keys()].flatMap(slidingLayer)))
}

/** A random model with the one recurrent state of Mamba. */
export function writeRecurrentModel(path: string): Promise<number> {
  return writeGguf(path, content('mamba', recurrentFacts(), [...Array(LAYERS).keys()].flatMap(recurrentLayer)))
}

type Facts = readonly (readonly [key: string, value: GgufValue])[]

function content(architecture: string, facts: Facts, layers: readonly GgufTensor[]): GgufContent {
  return {
    metadata: [
      ['general.architecture', text(architecture)],
      ['general.name', text(`random-${architecture}`)],
      ...[...common(), ...facts].map(([key, value]) => [`${architecture}.${key}`, value] as const),
      ...noiseVocabulary(VOCABULARY),
    ],
    tensors: [matrix('token_embd', DIM, VOCABULARY), ...layers, vector('output_norm', DIM)],
  }
}

function common(): Facts {
  return [
    ['vocab_size', u32(VOCABULARY)],
    ['context_length', u32(4096)],
    ['embedding_length', u32(DIM)],
    ['block_count', u32(LAYERS)],
    ['attention.layer_norm_rms_epsilon', f32(1e-5)],
  ]
}

function slidingFacts(): Facts {
  return [
    ['feed_forward_length', u32(FEED)],
    ['attention.head_count', u32(HEADS)],
    ['attention.head_count_kv', u32(KV_HEADS)],
    ['attention.key_length', u32(HEAD_DIM)],
    ['attention.value_length', u32(HEAD_DIM)],
    ['attention.sliding_window', u32(64)],
    ['rope.freq_base', f32(10_000)],
  ]
}

function slidingLayer(layer: number): GgufTensor[] {
  const name = (part: string): string => `blk.${layer}.${part}`
  return [
    ...['attn_norm', 'post_attention_norm', 'ffn_norm', 'post_ffw_norm'].map((part) => vector(name(part), DIM)),
    ...['attn_q_norm', 'attn_k_norm'].map((part) => vector(name(part), HEAD_DIM)),
    matrix(name('attn_q'), DIM, HEADS * HEAD_DIM),
    matrix(name('attn_k'), DIM, KV_HEADS * HEAD_DIM),
    matrix(name('attn_v'), DIM, KV_HEADS * HEAD_DIM),
    matrix(name('attn_output'), HEADS * HEAD_DIM, DIM),
    matrix(name('ffn_gate'), DIM, FEED),
    matrix(name('ffn_up'), DIM, FEED),
    matrix(name('ffn_down'), FEED, DIM),
  ]
}

const [INNER, STATE, RANK, CONV] = [128, 16, 4, 4]

function recurrentFacts(): Facts {
  return [
    ['feed_forward_length', u32(0)],
    ['attention.head_count', u32(0)],
    ['ssm.conv_kernel', u32(CONV)],
    ['ssm.inner_size', u32(INNER)],
    ['ssm.state_size', u32(STATE)],
    ['ssm.time_step_rank', u32(RANK)],
  ]
}

function recurrentLayer(layer: number): GgufTensor[] {
  const name = (part: string): string => `blk.${layer}.${part}`
  return [
    vector(name('attn_norm'), DIM),
    matrix(name('ssm_in'), DIM, 2 * INNER),
    matrix(name('ssm_conv1d'), CONV, INNER),
    vector(name('ssm_conv1d'), INNER, 'bias'),
    matrix(name('ssm_x'), INNER, RANK + 2 * STATE),
    matrix(name('ssm_dt'), RANK, INNER),
    vector(name('ssm_dt'), INNER, 'bias'),
    { ...matrix(name('ssm_a'), STATE, INNER), name: name('ssm_a') },
    { ...vector(name('ssm_d'), INNER), name: name('ssm_d') },
    matrix(name('ssm_out'), INNER, DIM),
  ]
}

function vector(name: string, size: number, kind: 'weight' | 'bias' = 'weight'): GgufTensor {
  const stored = { name: `${name}.${kind}`, dims: [size], type: F32 }
  return { ...stored, bytes: () => ones(stored) }
}

function matrix(name: string, from: number, to: number): GgufTensor {
  const stored = { name: `${name}.weight`, dims: [from, to], type: F32 }
  return { ...stored, bytes: () => randomWeights(stored, { seed: 1, deviation: 1 / Math.sqrt(from) }) }
}
