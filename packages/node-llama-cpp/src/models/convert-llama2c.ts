import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { ggmlType } from '../ggml-type.js'
import { llamaMetadata, TOKEN_KINDS, text, u32 } from './llama-metadata.js'
import { type LlamaShape, type LlamaTensor, llamaTensors } from './llama-shape.js'
import { type GgufContent, type GgufTensor, writeGguf } from './write-gguf.js'

/** The two files that make a model in the llama2.c format. */
export interface Llama2cFiles {
  /** Weights: `stories260K.bin`. */
  readonly checkpoint: string
  /** Vocabulary: `tok512.bin`. */
  readonly tokenizer: string
}

const F32 = ggmlType(0)!
const HEADER_INTS = 7
const BYTE_TOKEN = /^<0x[0-9A-F]{2}>$/

/**
 * Turns a model of the llama2.c format (version 0, as the TinyStories models are published) into a GGUF file. Resolves with its
 * size in bytes; rejects with `RangeError` when the files' sizes do not fit their headers.
 */
export async function convertLlama2c(files: Llama2cFiles, path: string): Promise<number> {
  const [checkpoint, tokenizer] = await Promise.all([readFile(files.checkpoint), readFile(files.tokenizer)])
  const { shape, separateOutput } = readShape(checkpoint)
  const weights = locateWeights(shape, separateOutput)
  const expected = HEADER_INTS * 4 + weights.totalBytes
  if (checkpoint.length !== expected)
    throw new RangeError(`${files.checkpoint}: ${checkpoint.length} bytes, its header promises ${expected}`)
  return writeGguf(path, {
    metadata: [
      ...llamaMetadata(basename(files.checkpoint, '.bin'), shape),
      ...readVocabulary(tokenizer, shape.vocabulary, files.tokenizer),
    ],
    tensors: llamaTensors(shape, { separateOutput }).map((tensor) => weights.tensor(tensor, checkpoint)),
  })
}

/** The header counts the vocabulary negatively when the output has weights of its own. */
function readShape(checkpoint: Buffer): { readonly shape: LlamaShape; readonly separateOutput: boolean } {
  if (checkpoint.length < HEADER_INTS * 4) throw new RangeError(`${checkpoint.length} bytes are no llama2.c model`)
  const ints = Array.from({ length: HEADER_INTS }, (_, index) => checkpoint.readInt32LE(index * 4))
  const [dim, feedForwardDim, layers, heads, kvHeads, vocabulary, contextTokens] = ints as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  if (ints.some((value) => Math.abs(value) > 2 ** 20 || value === 0) || dim % heads !== 0)
    throw new RangeError(`header ${ints.join(', ')} is no llama2.c model`)
  const headDim = dim / heads
  const shape = {
    layers,
    dim,
    heads,
    kvHeads,
    headDim,
    feedForwardDim,
    vocabulary: Math.abs(vocabulary),
    contextTokens,
  }
  return { shape: { ...shape, ropeBase: 10_000, normEpsilon: 1e-5 }, separateOutput: vocabulary < 0 }
}

/** Matrices of one kind lie together for all layers, in this order. */
const LAYER_ORDER = [
  'attn_norm',
  'attn_q',
  'attn_k',
  'attn_v',
  'attn_output',
  'ffn_norm',
  'ffn_gate',
  'ffn_down',
  'ffn_up',
] as const

interface Weights {
  readonly totalBytes: number
  tensor(tensor: LlamaTensor, checkpoint: Buffer): GgufTensor
}

function locateWeights(shape: LlamaShape, separateOutput: boolean): Weights {
  const places = new Map<string, number>()
  let at = HEADER_INTS * 4
  const byName = new Map(llamaTensors(shape, { separateOutput }).map((tensor) => [tensor.name, tensor]))
  const place = (name: string) => {
    places.set(name, at)
    at += elements(byName.get(name)!) * 4
  }
  place('token_embd.weight')
  for (const kind of LAYER_ORDER)
    for (let layer = 0; layer < shape.layers; layer++) place(`blk.${layer}.${kind}.weight`)
  place('output_norm.weight')
  // Tables of rotations that engines compute themselves.
  at += shape.contextTokens * shape.headDim * 4
  if (separateOutput) place('output.weight')
  return {
    totalBytes: at - HEADER_INTS * 4,
    tensor(tensor, checkpoint) {
      const start = places.get(tensor.name)!
      const bytes = () => [checkpoint.subarray(start, start + elements(tensor) * 4)]
      return { name: tensor.name, dims: tensor.dims, type: F32, bytes }
    },
  }
}

function elements({ dims }: LlamaTensor): number {
  return dims.reduce((product, size) => product * size, 1)
}

/** A length that the format gives for the longest token, then for each token its score, length and text. */
function readVocabulary(bytes: Buffer, count: number, path: string): GgufContent['metadata'] {
  const tokens: string[] = []
  const scores: number[] = []
  let at = 4
  for (let id = 0; id < count; id++) {
    if (at + 8 > bytes.length) throw new RangeError(`${path}: ends within token ${id} of ${count}`)
    scores.push(bytes.readFloatLE(at))
    const length = bytes.readInt32LE(at + 4)
    if (length < 0 || at + 8 + length > bytes.length) throw new RangeError(`${path}: token ${id} has ${length} bytes`)
    tokens.push(bytes.toString('utf8', at + 8, at + 8 + length))
    at += 8 + length
  }
  return vocabularyMetadata(tokens, scores)
}

function vocabularyMetadata(pieces: readonly string[], scores: readonly number[]): GgufContent['metadata'] {
  const special = ['<unk>', '<s>', '</s>']
  const tokens = pieces.map((piece, id) => special[id] ?? piece.replaceAll(' ', '▁'))
  return [
    ['tokenizer.ggml.model', text('llama')],
    ['tokenizer.ggml.tokens', { kind: 'texts', value: tokens }],
    ['tokenizer.ggml.scores', { kind: 'f32s', value: scores }],
    ['tokenizer.ggml.token_type', { kind: 'i32s', value: tokens.map(kindOf) }],
    ['tokenizer.ggml.unknown_token_id', u32(0)],
    ['tokenizer.ggml.bos_token_id', u32(1)],
    ['tokenizer.ggml.eos_token_id', u32(2)],
  ]
}

function kindOf(token: string, id: number): number {
  if (id === 0) return TOKEN_KINDS.unknown
  if (id < 3) return TOKEN_KINDS.control
  return BYTE_TOKEN.test(token) ? TOKEN_KINDS.byte : TOKEN_KINDS.normal
}
