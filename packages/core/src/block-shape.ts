import { type DType, dtypeWidthBytes } from './dtype.js'

/**
 * What one block holds: `numLayers × outerDim` regions of `pageSize` rows. The canonical byte order of a block is
 * layer, outer, token, inner. `innerDim` counts elements of one row (KV heads × head size); an opaque dtype gives
 * the row's bytes itself and ignores it.
 */
export interface BlockShape {
  readonly numLayers: number
  /** 2 for key and value, 1 for a fused cache (MLA). */
  readonly outerDim: number
  /** Tokens per block. */
  readonly pageSize: number
  readonly innerDim: number
  readonly dtype: DType
}

/** Bytes of one token in one layer and outer entry. */
export function rowBytes(shape: Pick<BlockShape, 'innerDim' | 'dtype'>): number {
  return typeof shape.dtype === 'string' ? shape.innerDim * dtypeWidthBytes(shape.dtype) : shape.dtype.bytesPerToken
}

/** Bytes of one region, the part of a block that belongs to one layer and outer entry: `pageSize × rowBytes`. */
export function regionBytes(shape: BlockShape): number {
  return shape.pageSize * rowBytes(shape)
}

/** Bytes of one block: `numLayers × outerDim × regionBytes`. */
export function blockBytes(shape: BlockShape): number {
  return shape.numLayers * shape.outerDim * regionBytes(shape)
}
