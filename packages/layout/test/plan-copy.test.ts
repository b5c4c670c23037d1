import { type BlockShape, blockBytes, LayoutType } from '@kvbm/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type LayerRange, planCopy } from '../src/index.js'
import { executePlan } from '../src/testing/index.js'
import { build, idPairs, layerBounds, layerRange } from './support/copy-world.js'
import { copyByteByByte, type End, fewestRuns } from './support/naive-copy.js'
import { buildPlot, EVERY_TYPE, nameOf, plots, shapes } from './support/random-layouts.js'

const PLAIN = { alignment: 1, address: 0, pages: 3 } as const
const SHAPE: BlockShape = { numLayers: 3, outerDim: 2, pageSize: 2, innerDim: 3, dtype: 'fp16' }
const REGION = 2 * 3 * 2

describe.each(EVERY_TYPE.map((type) => [nameOf(type), type] as const))('from %s', (_, fromType) => {
  test.each(EVERY_TYPE.map((type) => [nameOf(type), type] as const))(
    'to %s: as byte by byte, in the fewest runs, and neighbours stay as they are (cases 125, 126)',
    (_, toType) => {
      fc.assert(
        fc.property(
          shapes,
          plots([fromType]),
          plots([toType]),
          idPairs,
          layerBounds,
          (shape, from, to, pairs, bounds) => {
            const layers = layerRange(shape, bounds)
            const ends = build(shape, from, to, pairs)
            const expected = copyByteByByte(ends.from, ends.to, shape, layers)
            const plan = planBetween(ends, layers)
            executePlan(plan, [...ends.from.storages, ...ends.to.storages])
            expect(ends.to.storages.map((storage) => storage.range(0, storage.sizeBytes))).toEqual(expected)
            expect(plan.runs.length / 5).toBe(fewestRuns(ends.from, ends.to, shape, layers))
            expect(plan.bytes).toBe(bytesOf(plan.runs))
          },
        ),
        { numRuns: 25 },
      )
    },
  )
})

test('a block that is copied to several places takes the fewest runs too', () => {
  fc.assert(
    fc.property(
      shapes,
      plots(EVERY_TYPE),
      plots(EVERY_TYPE),
      fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 8 }),
      (shape, from, to, sources) => {
        const ends = build(
          shape,
          from,
          to,
          sources.map((source, target) => [source, target]),
        )
        const plan = planBetween(ends)
        executePlan(plan, [...ends.from.storages, ...ends.to.storages])
        expect(plan.runs.length / 5).toBe(fewestRuns(ends.from, ends.to, shape))
        expect(ends.to.storages.map((storage) => storage.range(0, storage.sizeBytes))).toEqual(
          copyByteByByte(ends.from, ends.to, shape),
        )
      },
    ),
    { numRuns: 200 },
  )
})

describe('what becomes one run', () => {
  const runsBetween = (fromType: LayoutType, toType: LayoutType, pairs: [number, number][], layers?: LayerRange) => {
    const ends = build(SHAPE, { ...PLAIN, type: fromType }, { ...PLAIN, type: toType }, pairs)
    return rows(planBetween(ends, layers).runs)
  }
  const { FullyContiguous, LayerSeparate, LayerSeparateBlockContiguous } = LayoutType
  const block = blockBytes(SHAPE)

  test('neighbours of contiguous layouts, also when they are named in another order', () => {
    expect(
      runsBetween(FullyContiguous, FullyContiguous, [
        [2, 5],
        [0, 3],
        [1, 4],
      ]),
    ).toEqual([[1, 0, 101, 3 * block, 3 * block]])
  })

  test('each block of its own when targets are no neighbours', () => {
    expect(
      runsBetween(FullyContiguous, FullyContiguous, [
        [0, 4],
        [1, 2],
      ]),
    ).toHaveLength(2)
  })

  test('neighbours of one layer and outer entry', () => {
    expect(
      runsBetween(LayerSeparate, LayerSeparate, [
        [0, 2],
        [1, 3],
      ]),
    ).toHaveLength(3 * 2)
    expect(
      runsBetween(LayerSeparateBlockContiguous, LayerSeparateBlockContiguous, [
        [0, 2],
        [1, 3],
      ]),
    ).toHaveLength(3)
  })

  test('layers of a range only', () => {
    expect(runsBetween(FullyContiguous, FullyContiguous, [[1, 0]], { from: 1, to: 2 })).toEqual([
      [1, block + 2 * REGION, 101, 2 * REGION, 2 * REGION],
    ])
    expect(runsBetween(FullyContiguous, LayerSeparate, [[1, 0]], { from: 2, to: 2 })).toEqual([])
  })
})

test('the target is committed by planning, the source is not', () => {
  const paged = { ...PLAIN, type: LayoutType.Paged }
  const from = buildPlot(SHAPE, 4, { ...PLAIN, type: LayoutType.FullyContiguous }, 1)
  const to = buildPlot(SHAPE, 4, paged, 101)
  planCopy({ from: from.layout, fromIds: Uint32Array.of(0), to: to.layout, toIds: Uint32Array.of(3) })
  expect(to.storages.map(({ committed }) => committed)).toEqual([true, false])
  expect(from.storages.map(({ committed }) => committed)).toEqual([false])
  expect(() =>
    planCopy({ from: to.layout, fromIds: Uint32Array.of(0), to: from.layout, toIds: Uint32Array.of(0) }),
  ).toThrow(/block: expected one with a page, got 0.*commit/)
})

test('nothing to copy is an empty plan', () => {
  const { layout } = buildPlot(SHAPE, 4, { ...PLAIN, type: LayoutType.LayerSeparate })
  const none = new Uint32Array(0)
  expect(planCopy({ from: layout, fromIds: none, to: layout, toIds: none })).toEqual({
    runs: new Float64Array(0),
    bytes: 0,
  })
})

test('layouts of equal dimensions are compatible, whatever their kinds (case 38); others say what differs', () => {
  const build = (shape: BlockShape, type: LayoutType) => buildPlot(shape, 2, { ...PLAIN, type }).layout
  const ids = Uint32Array.of(0)
  const copy = (shape: BlockShape) => () =>
    planCopy({
      from: build(SHAPE, LayoutType.FullyContiguous),
      fromIds: ids,
      to: build(shape, LayoutType.LayerSeparate),
      toIds: ids,
    })
  expect(copy(SHAPE)().bytes).toBe(blockBytes(SHAPE))
  expect(copy({ ...SHAPE, innerDim: 6, dtype: 'int8' })().bytes).toBe(blockBytes(SHAPE))
  expect(copy({ ...SHAPE, numLayers: 4 })).toThrow(
    /unlike shapes.*3 layers × 2 × 2 tokens, 12 bytes a region against 4 layers/,
  )
  expect(copy({ ...SHAPE, outerDim: 1 })).toThrow(/unlike shapes/)
  expect(copy({ ...SHAPE, pageSize: 1, innerDim: 6 })).toThrow(/unlike shapes/)
  expect(copy({ ...SHAPE, dtype: 'fp32' })).toThrow(/unlike shapes/)
})

test('lists of unlike lengths, ids and layers that are none are RangeErrors that name them', () => {
  const { layout } = buildPlot(SHAPE, 4, { ...PLAIN, type: LayoutType.FullyContiguous })
  const copy = (fromIds: number[], toIds: number[], layers?: LayerRange) => () =>
    planCopy({
      from: layout,
      to: layout,
      fromIds: Uint32Array.from(fromIds),
      toIds: Uint32Array.from(toIds),
      ...(layers && { layers }),
    })
  expect(copy([0, 1], [2])).toThrow(/toIds.length: expected 2, one target per source, got 1/)
  expect(copy([0, 4], [2, 3])).toThrow(/fromIds\[1\]: expected 0 to 3, got 4/)
  expect(copy([0], [4])).toThrow(/toIds\[0\]: expected 0 to 3, got 4/)
  for (const layers of [
    { from: -1, to: 1 },
    { from: 0, to: 4 },
    { from: 2, to: 1 },
    { from: 0.5, to: 1 },
  ])
    expect(copy([0], [1], layers)).toThrow(/layers: expected a range within 0 to 3/)
})

function planBetween({ from, to }: { from: End; to: End }, layers?: LayerRange) {
  const request = { from: from.layout, fromIds: from.ids, to: to.layout, toIds: to.ids }
  return planCopy(layers === undefined ? request : { ...request, layers })
}

function rows(runs: Float64Array): number[][] {
  return Array.from({ length: runs.length / 5 }, (_, row) => [...runs.subarray(row * 5, row * 5 + 5)])
}

function bytesOf(runs: Float64Array): number {
  return rows(runs).reduce((sum, row) => sum + row[4]!, 0)
}
