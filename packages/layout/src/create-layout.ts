import {
  ALIGNMENT_MAX,
  type BlockShape,
  invalidArgument,
  LayoutType,
  positiveInteger,
  rowBytes,
  type Storage,
} from '@kvbm/core'
import { CustomLayout, customBytes } from './custom-layout.js'
import { contiguousBytes, FullyContiguousLayout } from './fully-contiguous-layout.js'
import { LayerSeparateLayout, layerBytes } from './layer-separate-layout.js'
import type { Layout } from './layout.js'
import { PagedLayout, segmentSizes } from './paged-layout.js'

/** Segments of paged layouts, in bytes: small enough that memory grows with use, large enough for huge pages. */
const DEFAULT_SEGMENT_BYTES = 64 * 2 ** 20

/** What decides where bytes lie: type, shape and number of blocks, alignment. */
export interface LayoutGeometry {
  readonly type: LayoutType
  readonly shape: BlockShape
  readonly numBlocks: number
  /** Where blocks (or a layer's parts of them) begin: multiples of this power of two, in bytes, at most 2 MiB. Default 1. */
  readonly alignment?: number | undefined
  /** Only paged: bytes of one segment. Default 64 MiB. */
  readonly segmentBytes?: number | undefined
}

/** A geometry and the storages to lay it over. */
export interface LayoutOptions extends LayoutGeometry {
  /** Memory or files to lay the blocks out in, in the order and of the sizes of `layoutStorageBytes`. Stay the caller's. */
  readonly storages: readonly Storage[]
}

/** Bytes of each storage that a layout needs, alignment slack included. Throws `RangeError` for a geometry that cannot be. */
export function layoutStorageBytes(geometry: LayoutGeometry): readonly number[] {
  const sizes = sizesOf(complete(geometry))
  for (const size of sizes) positiveInteger('bytes of one storage', size)
  return sizes
}

/** A layout over given storages. Throws `RangeError` for a geometry that cannot be, and for too few or too small storages. */
export function createLayout({ storages, ...geometry }: LayoutOptions): Layout {
  layoutStorageBytes(geometry)
  const options = { ...complete(geometry), storages }
  const { type } = options
  if (type === LayoutType.FullyContiguous) return new FullyContiguousLayout(options)
  if (type === LayoutType.Paged) return new PagedLayout(options)
  return type.kind === 'custom' ? new CustomLayout({ ...options, type }) : new LayerSeparateLayout({ ...options, type })
}

function sizesOf(options: ReturnType<typeof complete>): readonly number[] {
  const { type, shape } = options
  if (type === LayoutType.FullyContiguous) return [contiguousBytes(options)]
  if (type === LayoutType.Paged) return segmentSizes(options)
  if (type.kind === 'custom') return customBytes({ ...options, type })
  return new Array<number>(shape.numLayers).fill(layerBytes({ ...options, type }))
}

function complete({ type, shape, numBlocks, alignment = 1, segmentBytes = DEFAULT_SEGMENT_BYTES }: LayoutGeometry) {
  checkType(type)
  positiveInteger('numBlocks', numBlocks)
  positiveInteger('numLayers', shape.numLayers)
  positiveInteger('pageSize', shape.pageSize)
  positiveInteger('rowBytes (innerDim × dtype)', rowBytes(shape))
  positiveInteger('segmentBytes', segmentBytes)
  if (shape.outerDim !== 1 && shape.outerDim !== 2) throw invalidArgument('outerDim', '1 or 2', shape.outerDim)
  checkAlignment(alignment)
  return { type, shape, numBlocks, alignment, segmentBytes }
}

function checkAlignment(alignment: number): void {
  if (alignment >= 1 && alignment <= ALIGNMENT_MAX && Number.isInteger(Math.log2(alignment))) return
  throw invalidArgument('alignment', `a power of two from 1 to ${ALIGNMENT_MAX}`, alignment)
}

/** A wrong word must not become one of the layouts, least of all one that swaps keys and values. */
function checkType(type: LayoutType): void {
  if (type === LayoutType.FullyContiguous || type === LayoutType.Paged) return
  if (type?.kind === 'layer-separate' && typeof type.outerContiguous === 'boolean') return
  if (type?.kind === 'custom' && typeof type.strategy?.bind === 'function') return
  throw invalidArgument('type', 'a constant of LayoutType, or LayoutType.Custom(strategy)', JSON.stringify(type))
}
