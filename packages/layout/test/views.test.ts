import { type BlockShape, blockBytes, LayoutType } from '@kvbm/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLayout, layoutStorageBytes } from '../src/index.js'
import { ArrayStorage } from '../src/testing/index.js'
import { EVERY_TYPE, everyId, shapes } from './support/random-layouts.js'

const SHAPE: BlockShape = { numLayers: 2, outerDim: 2, pageSize: 1, innerDim: 10, dtype: 'int8' }

test('a block that crosses the end of a window is shown in the fewest parts, in order', () => {
  const { layout } = build(SHAPE, LayoutType.FullyContiguous, 64)
  expect(lengths(layout.view(0))).toEqual([40])
  expect(layout.view(0)).toBeInstanceOf(Uint8Array)
  expect(lengths(layout.view(1))).toEqual([64 - 40, 16])
  expect(lengths(layout.view(3))).toEqual([128 - 120, 32])
})

test('a block of many windows is shown in all of them', () => {
  expect(lengths(build(SHAPE, LayoutType.FullyContiguous, 7).layout.view(1))).toEqual([2, 7, 7, 7, 7, 7, 3])
})

test('any layout with windows of any size shows exactly the bytes of each block', () => {
  fc.assert(
    fc.property(shapes, fc.constantFrom(...EVERY_TYPE), fc.integer({ min: 1, max: 50 }), (shape, type, windowBytes) => {
      const [cut, whole] = [build(shape, type, windowBytes).layout, build(shape, type).layout]
      for (const id of everyId(cut)) {
        const shown = [cut.view(id)].flat() as Uint8Array[]
        const expected = [whole.view(id)].flat() as Uint8Array[]
        expect(Buffer.concat(shown)).toEqual(Buffer.concat(expected))
        expect(Buffer.concat(shown)).toHaveLength(blockBytes(shape))
      }
    }),
    { numRuns: 200 },
  )
})

test('what the CPU cannot address has no view', () => {
  class Hidden extends ArrayStorage {
    override bytes(): undefined {}
  }
  for (const type of [LayoutType.FullyContiguous, LayoutType.LayerSeparate]) {
    const storages = layoutStorageBytes({ type, shape: SHAPE, numBlocks: 2 }).map(
      (sizeBytes, regionId) => new Hidden({ sizeBytes, regionId }),
    )
    expect(createLayout({ type, shape: SHAPE, numBlocks: 2, storages }).view(1)).toBeUndefined()
  }
})

test('a view of a block that is none is a RangeError', () => {
  expect(() => build(SHAPE, LayoutType.FullyContiguous).layout.view(7)).toThrow(/block: expected 0 to 6, got 7/)
})

/** Seven blocks, every byte of their storages another. */
function build(shape: BlockShape, type: LayoutType, windowBytes?: number) {
  const geometry = { type, shape, numBlocks: 7, segmentBytes: 100 }
  const storages = layoutStorageBytes(geometry).map(
    (sizeBytes, regionId) => new ArrayStorage({ sizeBytes, regionId, ...(windowBytes && { windowBytes }) }),
  )
  const layout = createLayout({ ...geometry, storages })
  layout.commit(everyId(layout))
  for (const storage of storages)
    storage.range(0, storage.sizeBytes).forEach((_, at, bytes) => {
      bytes[at] = at * 7 + storage.regionId * 31
    })
  return { layout, storages }
}

function lengths(view: Uint8Array | readonly Uint8Array[] | undefined): number[] {
  return ([view].flat() as Uint8Array[]).map(({ length }) => length)
}
