import { type BlockShape, type InnerOrder, LayoutType, rowBytes } from '@kvbm/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planCopy, type Reorder } from '../src/index.js'
import { executePlan } from '../src/testing/index.js'
import { build, idPairs, layerBounds, layerRange } from './support/copy-world.js'
import { type End, fewestRuns } from './support/naive-copy.js'
import { buildPlot, EVERY_TYPE, nameOf, plots, regionsOf, shapes } from './support/random-layouts.js'

const PLAIN = { type: LayoutType.FullyContiguous, alignment: 1, address: 0, pages: 3 } as const
/** Two heads of three halves. */
const SHAPE: BlockShape = { numLayers: 3, outerDim: 2, pageSize: 4, innerDim: 6, dtype: 'fp16' }
const ORDERS = ['nhd', 'hnd'] as const

/** A shape whose rows are so many heads. */
const headed = fc
  .record({ shape: shapes, kvHeads: fc.integer({ min: 1, max: 4 }), width: fc.integer({ min: 1, max: 3 }) })
  .map(({ shape, kvHeads, width }) => {
    const { dtype } = shape
    const opaque = { kind: 'opaque', bytesPerToken: kvHeads * width } as const
    return {
      kvHeads,
      shape: { ...shape, innerDim: kvHeads * width, dtype: typeof dtype === 'string' ? dtype : opaque },
    }
  })
const changes = fc.constantFrom(
  ...ORDERS.flatMap((from) => ORDERS.map((to): { from: InnerOrder; to: InnerOrder } => ({ from, to }))),
)

describe.each(EVERY_TYPE.map((type) => [nameOf(type), type] as const))('from %s', (_, fromType) => {
  test.each(EVERY_TYPE.map((type) => [nameOf(type), type] as const))(
    'to %s: every element comes to where its order has it, and neighbours stay as they are',
    (_, toType) => {
      fc.assert(
        fc.property(
          headed,
          changes,
          plots([fromType]),
          plots([toType]),
          idPairs,
          layerBounds,
          ({ shape, kvHeads }, orders, from, to, pairs, bounds) => {
            const layers = layerRange(shape, bounds)
            const reorder = { ...orders, kvHeads }
            const ends = build(shape, from, to, pairs)
            const expected = reorderedByteByByte(ends, shape, layers, reorder)
            const plan = planCopy({ ...requestOf(ends), layers, reorder })
            executePlan(plan, [...ends.from.storages, ...ends.to.storages])
            expect(ends.to.storages.map((storage) => storage.range(0, storage.sizeBytes))).toEqual(expected)
            const regions = pairs.length * (layers.to - layers.from) * shape.outerDim
            const runs = plan.transpose ? regions : fewestRuns(ends.from, ends.to, shape, layers)
            expect(plan.runs.length / 5).toBe(runs)
            expect(plan.bytes).toBe(regions * ends.from.layout.regionBytes)
          },
        ),
        { numRuns: 25 },
      )
    },
  )
})

describe('a plan says', () => {
  const { from, to } = build(SHAPE, PLAIN, PLAIN, [
    [2, 5],
    [3, 6],
  ])
  const plan = (reorder: Reorder) => planCopy({ ...requestOf({ from, to }), layers: { from: 1, to: 2 }, reorder })

  test('how to transpose each region, each in a run of its own although they are neighbours', () => {
    const [block, region] = [from.layout.blockBytes, from.layout.regionBytes]
    const runs = [2, 3].flatMap((source) =>
      [2, 3].map((part) => [1, source * block + part * region, 101, (source + 3) * block + part * region, region]),
    )
    const change = plan({ from: 'nhd', to: 'hnd', kvHeads: 2 })
    expect(change).toEqual({
      runs: Float64Array.from(runs.flat()),
      bytes: 4 * region,
      transpose: { rows: 4, columns: 2, cellBytes: 6 },
    })
    expect(plan({ from: 'hnd', to: 'nhd', kvHeads: 2 }).transpose).toEqual({ rows: 2, columns: 4, cellBytes: 6 })
  })

  test('nothing of it where bytes stay in their order: equal orders, or one head', () => {
    const plain = planCopy({ ...requestOf({ from, to }), layers: { from: 1, to: 2 } })
    expect(plain).not.toHaveProperty('transpose')
    expect(plan({ from: 'hnd', to: 'hnd', kvHeads: 3 })).toEqual(plain)
    expect(plan({ from: 'nhd', to: 'hnd', kvHeads: 1 })).toEqual(plain)
  })
})

test('one token is in both orders at once', () => {
  const ends = build({ ...SHAPE, pageSize: 1 }, PLAIN, PLAIN, [[0, 1]])
  const request = requestOf(ends)
  expect(planCopy({ ...request, reorder: { from: 'nhd', to: 'hnd', kvHeads: 3 } })).toEqual(planCopy(request))
})

test('heads that do not divide a row, and orders that are none, are RangeErrors that name them', () => {
  const change = (shape: BlockShape, reorder: object) => () => {
    const { layout } = buildPlot(shape, 2, PLAIN)
    const ids = Uint32Array.of(0)
    planCopy({ from: layout, fromIds: ids, to: layout, toIds: ids, reorder: reorder as Reorder })
  }
  const orders = { from: 'nhd', to: 'hnd' }
  expect(change(SHAPE, { ...orders, kvHeads: 4 })).toThrow(
    new RangeError('reorder.kvHeads: expected a divisor of innerDim, 6, got 4 (number)'),
  )
  const opaque = { ...SHAPE, dtype: { kind: 'opaque', bytesPerToken: 5 } } as const
  expect(change(opaque, { ...orders, kvHeads: 2 })).toThrow(
    new RangeError('reorder.kvHeads: expected a divisor of dtype.bytesPerToken, 5, got 2 (number)'),
  )
  for (const kvHeads of [0, -1, 0.5, Number.NaN, undefined])
    expect(change(SHAPE, { ...orders, kvHeads })).toThrow(/^reorder\.kvHeads: expected a positive integer/)
  expect(change(SHAPE, { from: 'ndh', to: 'hnd', kvHeads: 2 })).toThrow(/^reorder\.from: expected 'nhd' or 'hnd'/)
  expect(change(SHAPE, { from: 'nhd', kvHeads: 2 })).toThrow(/^reorder\.to: expected 'nhd' or 'hnd'/)
})

test('a run that is no table is refused by executePlan', () => {
  const { from, to } = build(SHAPE, PLAIN, PLAIN, [[0, 0]])
  const { runs } = planCopy(requestOf({ from, to }))
  const transpose = { rows: 4, columns: 2, cellBytes: 6 }
  expect(() => executePlan({ runs, transpose }, [...from.storages, ...to.storages])).toThrow(/expected 48, of a table/)
})

function requestOf({ from, to }: { from: End; to: End }) {
  return { from: from.layout, fromIds: from.ids, to: to.layout, toIds: to.ids }
}

/** What every byte of the target's storages must be after the copy. */
function reorderedByteByByte(
  { from, to }: { from: End; to: End },
  shape: BlockShape,
  layers: { from: number; to: number },
  { kvHeads, ...orders }: Reorder,
): Uint8Array[] {
  const after = to.storages.map((storage) => storage.range(0, storage.sizeBytes).slice())
  const width = rowBytes(shape) / kvHeads
  const inRegion = (order: InnerOrder, token: number, head: number): number =>
    (order === 'nhd' ? token * kvHeads + head : head * shape.pageSize + token) * width
  for (const [pair, block] of from.ids.entries())
    for (const { layer, outer } of regionsOf(shape, [block], layers)) {
      const source = from.layout.locate(block, layer, outer)
      const target = to.layout.locate(to.ids[pair]!, layer, outer)
      for (let token = 0; token < shape.pageSize; token++)
        for (let head = 0; head < kvHeads; head++)
          for (let byte = 0; byte < width; byte++) {
            const at = source.offset + inRegion(orders.from, token, head) + byte
            const into = target.offset + inRegion(orders.to, token, head) + byte
            after[target.storage]![into] = from.storages[source.storage]!.range(at, 1)[0]!
          }
    }
  return after
}
