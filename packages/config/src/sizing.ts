import { type BlockShape, blockBytes, invalidArgument } from '@kvbm/core'
import { parseBytes } from './byte-size.js'
import { type ModelConfig, type ModelInput, parseModel } from './model-schema.js'

/** Part of a memory, in percent, that a tier should take at most: the rest is for everything else in it. */
export const RECOMMENDED_PERCENT = 80

/** The geometry of a model's blocks. */
export function modelShape(model: ModelConfig): BlockShape {
  const { numLayers, outerDim, pageSize, innerDim, dtype } = model
  return Object.freeze({ numLayers, outerDim, pageSize, innerDim, dtype })
}

/** Bytes of one block: layers × outer × tokens × row. Throws `ConfigError` for an impossible model. */
export function bytesPerBlock(model: ModelInput | ModelConfig): number {
  return blockBytes(modelShape(parseModel(model)))
}

/**
 * Whole blocks that fit into `bytes` (a number, `'24GiB'`, `'10GB'`); with `percent`, that part of them, rounded down.
 * Throws `RangeError` for a size that cannot be read, `ConfigError` for an impossible model.
 */
export function blocksForBytes(
  bytes: number | string,
  model: ModelInput | ModelConfig,
  { percent = 100 }: { readonly percent?: number } = {},
): number {
  if (!(percent >= 0 && percent <= 100)) throw invalidArgument('percent', 'a number from 0 to 100', percent)
  return Math.floor((Math.floor(parseBytes(bytes) / bytesPerBlock(model)) * percent) / 100)
}

/** `blocksForBytes` with the customary 80 percent: `24GiB` of 8 MiB blocks are 2457. */
export function recommendedBlocks(bytes: number | string, model: ModelInput | ModelConfig): number {
  return blocksForBytes(bytes, model, { percent: RECOMMENDED_PERCENT })
}
