import { invalidArgument, nonNegativeInteger } from '@kvbm/core'
import { type GgmlType, ggmlType } from '../ggml-type.js'
import { llamaMetadata, text, u32 } from './llama-metadata.js'
import { type LlamaShape, type LlamaTensor, llamaTensors, tensorType } from './llama-shape.js'
import { noiseVocabulary } from './noise-vocabulary.js'
import { ones, randomWeights } from './random-weights.js'
import { type GgufContent, type GgufTensor, writeGguf } from './write-gguf.js'

/** Names of the shapes that random models come in. */
export type RandomShapeName = 'tiny' | 'smol135' | 'llama1b'

/** Numbers and tensor types of a random model. */
export interface RandomShape {
  readonly name: RandomShapeName
  /** Whose shape it is, for people. */
  readonly likeness: string
  readonly shape: LlamaShape
  readonly matrix: GgmlType
  readonly embedding: GgmlType
}

const [F32, Q4_0, Q8_0] = [ggmlType(0)!, ggmlType(2)!, ggmlType(8)!]
const EPSILON = 1e-5

/** The shapes: one for tests, two of real models. */
export const RANDOM_SHAPES: Readonly<Record<RandomShapeName, RandomShape>> = Object.freeze({
  tiny: {
    name: 'tiny',
    likeness: 'a toy of 0.5 million parameters',
    shape: {
      layers: 3,
      dim: 128,
      heads: 4,
      kvHeads: 2,
      headDim: 32,
      feedForwardDim: 256,
      vocabulary: 512,
      contextTokens: 4096,
      ropeBase: 10_000,
      normEpsilon: EPSILON,
    },
    matrix: F32,
    embedding: F32,
  },
  smol135: {
    name: 'smol135',
    likeness: 'SmolLM2-135M',
    shape: {
      layers: 30,
      dim: 576,
      heads: 9,
      kvHeads: 3,
      headDim: 64,
      feedForwardDim: 1536,
      vocabulary: 49_152,
      contextTokens: 8192,
      ropeBase: 100_000,
      normEpsilon: EPSILON,
    },
    matrix: Q8_0,
    embedding: Q8_0,
  },
  llama1b: {
    name: 'llama1b',
    likeness: 'Llama-3.2-1B',
    shape: {
      layers: 16,
      dim: 2048,
      heads: 32,
      kvHeads: 8,
      headDim: 64,
      feedForwardDim: 8192,
      vocabulary: 50_257,
      contextTokens: 8192,
      ropeBase: 500_000,
      normEpsilon: EPSILON,
    },
    matrix: Q4_0,
    embedding: Q8_0,
  },
})

/** The key whose presence in a GGUF file says that its weights are noise. */
export const RANDOM_SEED_KEY = 'kvbm.random.seed'

/** Which random model to write. */
export interface RandomModelOptions {
  readonly shape: RandomShapeName
  /** 0 … 4294967295. The same seed gives the same file, bit for bit. Default 1. */
  readonly seed?: number
}

/** The first line of everything that such a model prints. */
export function randomModelLabel(shape: RandomShapeName): string {
  return `Random weights in the shape of ${RANDOM_SHAPES[shape].likeness}: timing and KV bytes are real, the text is not.`
}

/** Writes a GGUF file of seeded random weights. Resolves with its size in bytes. */
export async function writeRandomModel(path: string, { shape, seed = 1 }: RandomModelOptions): Promise<number> {
  const chosen = RANDOM_SHAPES[shape]
  if (!chosen) throw invalidArgument('shape', `one of ${Object.keys(RANDOM_SHAPES).join(', ')}`, shape)
  if (nonNegativeInteger('seed', seed) > 0xffff_ffff) throw invalidArgument('seed', 'at most 4294967295', seed)
  return writeGguf(path, randomContent(chosen, seed))
}

function randomContent(chosen: RandomShape, seed: number): GgufContent {
  const { shape } = chosen
  return {
    metadata: [
      ...llamaMetadata(`random-${chosen.name}`, shape),
      ['general.description', text(randomModelLabel(chosen.name))],
      [RANDOM_SEED_KEY, u32(seed)],
      ...noiseVocabulary(shape.vocabulary),
    ],
    tensors: llamaTensors(shape, { separateOutput: false }).map((tensor) => randomTensor(tensor, chosen, seed)),
  }
}

/** Queries and keys are larger than the rest, so that attention picks instead of averaging and texts do not run in circles. */
const PICKY_ATTENTION = 2

// Otherwise weights keep the size of what passes through them, so that no layer drowns the others.
function randomTensor(tensor: LlamaTensor, chosen: RandomShape, seed: number): GgufTensor {
  const stored = { name: tensor.name, dims: tensor.dims, type: tensorType(tensor, chosen) }
  const gain = /attn_[qk]\.weight$/.test(tensor.name) ? PICKY_ATTENTION : 1
  const deviation = gain / Math.sqrt(tensor.dims[0]!)
  const bytes = () => (tensor.role === 'norm' ? ones(stored) : randomWeights(stored, { seed, deviation }))
  return { ...stored, bytes }
}
