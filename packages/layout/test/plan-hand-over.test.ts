import { type BlockShape, blockBytes, LayoutType } from '@kvbm/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { planBytes, planHandOver } from '../src/index.js'
import { ArrayStorage, executePlan } from '../src/testing/index.js'
import { buildPlot, EVERY_TYPE, everyId, type Plot, plots, shapes } from './support/random-layouts.js'

const NUM_BLOCKS = 9
const HAND_OVER = 500
const FLAT = 501
const SHAPE: BlockShape = { numLayers: 2, outerDim: 2, pageSize: 1, innerDim: 10, dtype: 'int8' }
const PLAIN: Plot = { type: LayoutType.LayerSeparate, alignment: 1, address: 0, pages: 3 }

/** One piece of a block's canonical bytes and where it lies in the engine's storage. */
type Piece = [index: number, inBlock: number, handOver: number, length: number]

test('any pieces of blocks of any layout are gathered where they say, and scattered back', () => {
  fc.assert(
    fc.property(shapes, plots(EVERY_TYPE), cuts(), (shape, plot, { ids: list, first, cut }) => {
      const ids = Uint32Array.from(list)
      const pieces = piecesOf(blockBytes(shape), ids.length, first, cut)
      const { layout, storages, canonical } = filled(shape, plot, ids)
      const handOver = storage(HAND_OVER, ids.length * blockBytes(shape))
      const all = [...storages, handOver]
      const request = { layout, ids, first, region: HAND_OVER, pieces: Float64Array.from(pieces.flat()) }

      executePlan(planHandOver({ ...request, direction: 'gather' }), all)
      expect(handOver.range(0, handOver.sizeBytes)).toEqual(naiveGather(pieces, canonical, first, blockBytes(shape)))

      const before = storages.map((storage) => storage.range(0, storage.sizeBytes).slice())
      for (const view of ids) for (const run of [layout.view(view)].flat() as Uint8Array[]) run.fill(0)
      executePlan(planHandOver({ ...request, direction: 'scatter' }), all)
      expect(storages.map((storage) => storage.range(0, storage.sizeBytes))).toEqual(before)
    }),
    { numRuns: 200 },
  )
})

test('pieces that are neighbours on both sides are one run', () => {
  const { layout } = buildPlot(SHAPE, 4, { ...PLAIN, type: LayoutType.FullyContiguous })
  const pieces = Float64Array.of(1, 0, 40, 40, 0, 20, 20, 20, 0, 0, 0, 20)
  const { runs, bytes } = planHandOver({ layout, ids: Uint32Array.of(2, 3), pieces, region: 9, direction: 'gather' })
  expect([...runs]).toEqual([1, 80, 9, 0, 80])
  expect(bytes).toBe(80)
})

test('pieces of blocks that are not named are left out', () => {
  const { layout } = buildPlot(SHAPE, 4, PLAIN)
  const pieces = Float64Array.of(4, 0, 0, 5, 5, 0, 5, 5, 6, 0, 10, 5)
  const { runs } = planHandOver({ layout, ids: Uint32Array.of(3), first: 5, pieces, region: 9, direction: 'scatter' })
  expect([...runs]).toEqual([9, 5, 1, 30, 5])
})

test('what is not a piece of a block is a RangeError that says which', () => {
  const { layout } = buildPlot(SHAPE, 4, PLAIN)
  const plan =
    (...pieces: number[]) =>
    () =>
      planHandOver({
        layout,
        ids: Uint32Array.of(0),
        pieces: Float64Array.from(pieces),
        region: 9,
        direction: 'gather',
      })
  expect(plan(0, 0, 0)).toThrow(/pieces.length: expected a multiple of 4, got 3/)
  for (const [inBlock, length] of [
    [0, 41],
    [40, 1],
    [-1, 2],
    [0, -1],
    [0.5, 1],
  ])
    expect(plan(0, 0, 0, 1, 0, inBlock!, 0, length!)).toThrow(/pieces\[1\]: expected a range within the 40 bytes/)
  expect(() =>
    planHandOver({ layout, ids: Uint32Array.of(4), pieces: new Float64Array(0), region: 9, direction: 'gather' }),
  ).toThrow(/ids\[0\]: expected 0 to 3, got 4/)
})

/** Which blocks, and where their bytes are cut into pieces. */
function cuts() {
  return fc.record({
    ids: fc.uniqueArray(fc.integer({ min: 0, max: NUM_BLOCKS - 1 }), { minLength: 1, maxLength: 5 }),
    first: fc.integer({ min: 0, max: 3 }),
    cut: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 }),
  })
}

/** The bytes of every block in pieces that lie backwards in the engine's storage, and one of a block that is not named. */
function piecesOf(block: number, count: number, first: number, cut: readonly number[]): Piece[] {
  const ends = [...cut.map((part) => Math.floor(part * block)), block].sort((a, b) => a - b)
  const pieces: Piece[] = [[first + count, 0, 0, block]]
  let handOver = count * block
  for (let index = 0; index < count; index++)
    for (const [at, end] of ends.entries()) {
      const begin = ends[at - 1] ?? 0
      handOver -= end - begin
      pieces.push([first + index, begin, handOver, end - begin])
    }
  return pieces
}

function naiveGather(pieces: Piece[], canonical: Uint8Array, first: number, block: number): Uint8Array {
  const into = new Uint8Array(canonical.length)
  for (const [index, inBlock, handOver, length] of pieces)
    for (let byte = 0; byte < length; byte++)
      if (index - first < canonical.length / block)
        into[handOver + byte] = canonical[(index - first) * block + inBlock + byte]!
  return into
}

function storage(regionId: number, sizeBytes: number): ArrayStorage {
  const made = new ArrayStorage({ regionId, sizeBytes })
  made.commit()
  return made
}

function filled(shape: BlockShape, plot: Plot, ids: Uint32Array) {
  const { layout, storages } = buildPlot(shape, NUM_BLOCKS, plot)
  layout.commit(everyId(layout))
  const flat = storage(FLAT, ids.length * blockBytes(shape))
  const canonical = flat.range(0, flat.sizeBytes)
  canonical.forEach((_, at) => {
    canonical[at] = at * 7 + (at >> 8) + 1
  })
  executePlan(planBytes({ layout, ids, region: FLAT, direction: 'write' }), [...storages, flat])
  return { layout, storages, canonical }
}
