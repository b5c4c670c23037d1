import { invalidArgument, nearestName } from '@kvbm/core'
import type { ModelInput } from './model-schema.js'

type Preset = Pick<ModelInput, 'numLayers' | 'outerDim' | 'dtype'> & {
  readonly kvHeads: number
  readonly headDim: number
}

function keysAndValues(numLayers: number, kvHeads: number, headDim: number, dtype: 'bf16' | 'fp16' = 'bf16'): Preset {
  return Object.freeze({ numLayers, outerDim: 2, kvHeads, headDim, dtype })
}

/** Multi-head latent attention keeps one row per token: the compressed latent and the rotary key, side by side. */
function latent(numLayers: number, latentDim: number, rotaryDim: number): Preset {
  return Object.freeze({ numLayers, outerDim: 1, kvHeads: 1, headDim: latentDim + rotaryDim, dtype: 'bf16' })
}

/**
 * Shapes of well-known models as their published configurations give them: layers, KV heads, head size. The dtype is the
 * one the weights were published in; a cache may well be kept in another.
 */
export const MODEL_PRESETS = Object.freeze({
  'llama-2-7b': keysAndValues(32, 32, 128, 'fp16'),
  'llama-2-13b': keysAndValues(40, 40, 128, 'fp16'),
  'llama-3.2-1b': keysAndValues(16, 8, 64),
  'llama-3.2-3b': keysAndValues(28, 8, 128),
  'llama-3.1-8b': keysAndValues(32, 8, 128),
  'llama-3.1-70b': keysAndValues(80, 8, 128),
  'llama-3.1-405b': keysAndValues(126, 8, 128),
  'mistral-7b': keysAndValues(32, 8, 128),
  'tinyllama-1.1b': keysAndValues(22, 4, 64),
  'smollm2-135m': keysAndValues(30, 3, 64),
  'smollm2-360m': keysAndValues(32, 5, 64),
  'smollm2-1.7b': keysAndValues(24, 32, 64),
  'qwen2.5-0.5b': keysAndValues(24, 2, 64),
  'qwen2.5-1.5b': keysAndValues(28, 2, 128),
  'qwen2.5-3b': keysAndValues(36, 2, 128),
  'qwen2.5-7b': keysAndValues(28, 4, 128),
  'qwen2.5-14b': keysAndValues(48, 8, 128),
  'qwen2.5-32b': keysAndValues(64, 8, 128),
  'qwen2.5-72b': keysAndValues(80, 8, 128),
  'qwen3-0.6b': keysAndValues(28, 8, 128),
  'qwen3-1.7b': keysAndValues(28, 8, 128),
  'qwen3-4b': keysAndValues(36, 8, 128),
  'qwen3-8b': keysAndValues(36, 8, 128),
  'qwen3-14b': keysAndValues(40, 8, 128),
  'qwen3-32b': keysAndValues(64, 8, 128),
  'gemma-2-2b': keysAndValues(26, 4, 256),
  'gemma-2-9b': keysAndValues(42, 8, 256),
  'deepseek-v3': latent(61, 512, 64),
})

/** Name of a known model shape. */
export type ModelPreset = keyof typeof MODEL_PRESETS

/**
 * A plain model of a well-known shape: `modelPreset('llama-3.1-8b', { pageSize: 32 })`. Its name becomes the `modelId`,
 * `pageSize` is 16 unless given; any field may be given otherwise. Throws `RangeError` for an unknown name.
 */
export function modelPreset(name: ModelPreset, fields: Partial<ModelInput> = {}): ModelInput {
  if (!Object.hasOwn(MODEL_PRESETS, name)) throw invalidArgument('model preset', expected(name), name)
  return { modelId: name, pageSize: 16, ...MODEL_PRESETS[name], ...fields }
}

function expected(name: string): string {
  const names = Object.keys(MODEL_PRESETS)
  return `${nearestName(String(name), names) ?? names.join(', ')}, a known model shape`
}
