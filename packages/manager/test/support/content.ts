import type { BlockHashes } from '@kvbm/core'

export const MODEL = {
  modelId: 'deaths',
  numLayers: 2,
  outerDim: 2,
  pageSize: 4,
  innerDim: 256,
  dtype: 'fp16',
} as const
export const BLOCK_BYTES = 8192
export const PROMPT_BLOCKS = 3

/** Tokens of prompt `index`. */
export function promptOf(index: number): Uint32Array {
  return Uint32Array.from({ length: PROMPT_BLOCKS * MODEL.pageSize }, (_, token) => index * 1000 + token)
}

/** The bytes that blocks of these names must have. */
export function bytesOf(hashes: BlockHashes): Buffer {
  return Buffer.concat(hashes.toHexArray().map((hex) => Buffer.alloc(BLOCK_BYTES, `${hex}.`)))
}
