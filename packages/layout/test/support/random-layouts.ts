import { type BlockShape, blockBytes, type DType, LayoutType } from '@kvbm/core'
import fc from 'fast-check'
import { createLayout, type Layout, type LayoutGeometry, layoutStorageBytes } from '../../src/index.js'
import { ArrayStorage } from '../../src/testing/index.js'
import { backwards, keysAndValuesApart } from './strategies.js'

export const BUILT_IN: readonly LayoutType[] = [
  LayoutType.FullyContiguous,
  LayoutType.LayerSeparate,
  LayoutType.LayerSeparateBlockContiguous,
  LayoutType.Paged,
]
export const EVERY_TYPE: readonly LayoutType[] = [
  ...BUILT_IN,
  LayoutType.Custom(keysAndValuesApart),
  LayoutType.Custom(backwards),
]

/** A name for tables of tests. */
export function nameOf(type: LayoutType): string {
  if (typeof type === 'string') return type
  if (type.kind === 'custom') return type.strategy.name
  return type.outerContiguous ? 'layer-separate' : 'layer-separate-block-contiguous'
}

const dtypes = fc.constantFrom<DType>('fp8-e4m3', 'fp16', 'fp32', { kind: 'opaque', bytesPerToken: 5 })

/** Small shapes: every byte is looked at. */
export const shapes: fc.Arbitrary<BlockShape> = fc.record({
  numLayers: fc.integer({ min: 1, max: 4 }),
  outerDim: fc.constantFrom(1, 2),
  pageSize: fc.integer({ min: 1, max: 3 }),
  innerDim: fc.integer({ min: 1, max: 5 }),
  dtype: dtypes,
})

/** All that decides where blocks lie. */
export interface Plot {
  readonly type: LayoutType
  readonly alignment: number
  readonly address: number
  /** Only paged: pages of a segment. */
  readonly pages: number
}

export const plots = (types: readonly LayoutType[]): fc.Arbitrary<Plot> =>
  fc.record({
    type: fc.constantFrom(...types),
    alignment: fc.constantFrom(1, 2, 16, 64, 256),
    address: fc.integer({ min: 0, max: 1000 }),
    pages: fc.integer({ min: 1, max: 4 }),
  })

/** Bytes of a segment that holds so many pages, and not quite one more. */
export function segmentBytesFor(shape: BlockShape, { alignment, pages }: Plot): number {
  const stride = Math.ceil(blockBytes(shape) / alignment) * alignment
  return pages * stride + stride - 1
}

export function buildPlot(
  shape: BlockShape,
  numBlocks: number,
  plot: Plot,
  firstRegion = 1,
): { layout: Layout; storages: ArrayStorage[]; geometry: LayoutGeometry } {
  const { type, alignment, address } = plot
  const geometry = { type, shape, numBlocks, alignment, segmentBytes: segmentBytesFor(shape, plot) }
  const storages = layoutStorageBytes(geometry).map(
    (sizeBytes, index) => new ArrayStorage({ sizeBytes, regionId: firstRegion + index, address }),
  )
  return { layout: createLayout({ ...geometry, storages }), storages, geometry }
}

export function everyId(layout: Layout): Uint32Array {
  return Uint32Array.from({ length: layout.numBlocks }, (_, block) => block)
}

/** Every region of some layers, as indices. */
export function* regionsOf(shape: BlockShape, ids: Iterable<number>, layers = { from: 0, to: shape.numLayers }) {
  for (const block of ids)
    for (let layer = layers.from; layer < layers.to; layer++)
      for (let outer = 0; outer < shape.outerDim; outer++) yield { block, layer, outer }
}
