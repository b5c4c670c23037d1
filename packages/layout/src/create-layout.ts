import { type BlockShape, invalidArgument, type LayoutType, positiveInteger, rowBytes, type Storage } from '@kvbm/core'
import { bindStrategy, CustomLayout } from './custom-layout.js'
import { contiguousBytes, FullyContiguousLayout } from './fully-contiguous-layout.js'
import { LayerSeparateLayout, layerBytes } from './layer-separate-layout.js'
import type { Layout } from './layout.js'
import { PagedLayout, segmentSizes } from './paged-layout.js'

/** Segments of paged layouts, in bytes. */
export const DEFAULT_SEGMENT_BYTES = 64 * 2 ** 20

export interface LayoutGeometry {
  readonly type: LayoutType
  readonly shape: BlockShape
  readonly numBlocks: number
  /** Where blocks (or a layer's parts of them) begin: multiples of this power of two, in bytes. Default 1. */
  readonly alignment?: number | undefined
  /** Only paged: bytes of one segment. Default 64 MiB. */
  readonly segmentBytes?: number | undefined
}

export interface LayoutOptions extends LayoutGeometry {
  /** Memory or files to lay the blocks out in, in the order and of the sizes of `layoutStorageBytes`. Stay the caller's. */
  readonly storages: readonly Storage[]
}

/** Bytes of each storage that a layout needs, alignment slack included. Throws `RangeError` for a shape that cannot be. */
export function layoutStorageBytes(geometry: LayoutGeometry): readonly number[] {
  const options = complete(geometry)
  const { type, shape, numBlocks, alignment } = options
  if (type === 'fully-contiguous') return [contiguousBytes(shape, numBlocks, alignment)]
  if (type === 'paged') return segmentSizes(options)
  if (type.kind === 'custom') return bindStrategy({ type, shape, numBlocks }).storageBytes
  return new Array<number>(shape.numLayers).fill(layerBytes({ type, shape, numBlocks, alignment }))
}

/** A layout over given storages. Throws `RangeError` when they are too few or too small. */
export function createLayout(options: LayoutOptions): Layout {
  const { type, shape, numBlocks, alignment, segmentBytes } = complete(options)
  const { storages } = options
  if (type === 'fully-contiguous') return new FullyContiguousLayout({ shape, numBlocks, storages, alignment })
  if (type === 'paged') return new PagedLayout({ shape, numBlocks, storages, alignment, segmentBytes })
  if (type.kind === 'custom') return new CustomLayout({ type, shape, numBlocks, storages })
  return new LayerSeparateLayout({ type, shape, numBlocks, storages, alignment })
}

function complete({ type, shape, numBlocks, alignment = 1, segmentBytes = DEFAULT_SEGMENT_BYTES }: LayoutGeometry) {
  positiveInteger('numBlocks', numBlocks)
  positiveInteger('numLayers', shape.numLayers)
  positiveInteger('pageSize', shape.pageSize)
  positiveInteger('rowBytes (innerDim × dtype)', rowBytes(shape))
  positiveInteger('segmentBytes', segmentBytes)
  if (shape.outerDim !== 1 && shape.outerDim !== 2) throw invalidArgument('outerDim', '1 or 2', shape.outerDim)
  if (!(Number.isSafeInteger(alignment) && alignment > 0 && Number.isInteger(Math.log2(alignment))))
    throw invalidArgument('alignment', 'a power of two', alignment)
  return { type, shape, numBlocks, alignment, segmentBytes }
}
