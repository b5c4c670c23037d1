import { type BlockShape, blockBytes, LayoutType } from '@kvbm/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createLayout, planBytes, planPieces } from '../src/index.js'
import { ArrayStorage, executePlan } from '../src/testing/index.js'
import { type End, fewestRuns } from './support/naive-copy.js'
import { buildPlot, EVERY_TYPE, everyId, plots, regionsOf, shapes } from './support/random-layouts.js'

const SHAPE: BlockShape = { numLayers: 2, outerDim: 2, pageSize: 1, innerDim: 10, dtype: 'int8' }
const PLAIN = { alignment: 1, address: 0, pages: 3 } as const
const NUM_BLOCKS = 9
const FLAT_REGION = 500
const OFFSET = 11

const idLists = fc.uniqueArray(fc.integer({ min: 0, max: NUM_BLOCKS - 1 }), { maxLength: 6 })

describe('planBytes', () => {
  test('writes and reads blocks of any layout as canonical bytes, in the fewest runs', () => {
    fc.assert(
      fc.property(shapes, plots(EVERY_TYPE), idLists, (shape, plot, list) => {
        const ids = Uint32Array.from(list)
        const blocks = { ...buildPlot(shape, NUM_BLOCKS, plot), ids }
        blocks.layout.commit(everyId(blocks.layout))
        const flat = flatEnd(shape, ids.length)
        const request = { layout: blocks.layout, ids, region: FLAT_REGION, offset: OFFSET }
        const written = flat.storages[0]!.range(0, flat.storages[0]!.sizeBytes).slice()

        const write = planBytes({ ...request, direction: 'write' })
        executePlan(write, [...blocks.storages, ...flat.storages])
        for (const [index, id] of ids.entries())
          expect(canonicalBytes(blocks, id)).toEqual([
            ...written.subarray(OFFSET + index * blockBytes(shape), OFFSET + (index + 1) * blockBytes(shape)),
          ])
        flat.storages[0]!.range(OFFSET, ids.length * blockBytes(shape)).fill(0)
        const read = planBytes({ ...request, direction: 'read' })
        executePlan(read, [...blocks.storages, ...flat.storages])
        expect(flat.storages[0]!.range(0, written.length)).toEqual(written)

        expect(write.runs.length / 5).toBe(fewestRuns(flat, blocks, shape))
        expect(read.runs.length / 5).toBe(fewestRuns(blocks, flat, shape))
        expect([write.bytes, read.bytes]).toEqual(Array(2).fill(ids.length * blockBytes(shape)))
      }),
      { numRuns: 300 },
    )
  })

  test('commits its blocks, also to read them', () => {
    for (const direction of ['write', 'read'] as const) {
      const { layout, storages } = buildPlot(SHAPE, NUM_BLOCKS, { ...PLAIN, type: LayoutType.Paged })
      planBytes({ layout, ids: Uint32Array.of(4), region: FLAT_REGION, direction })
      expect(storages.map(({ committed }) => committed)).toEqual([true, false, false])
    }
  })

  test('an id or an offset that is none is a RangeError', () => {
    const { layout } = buildPlot(SHAPE, 2, { ...PLAIN, type: LayoutType.FullyContiguous })
    const plan = (ids: number[], offset: number) => () =>
      planBytes({ layout, ids: Uint32Array.from(ids), region: 1, offset, direction: 'read' })
    expect(plan([0, 2], 0)).toThrow(/ids\[1\]: expected 0 to 1, got 2/)
    expect(plan([0], -1)).toThrow(/offset: expected an integer of 0 or more, got -1/)
  })
})

describe('planPieces', () => {
  test('names every byte of each block in canonical order, in the fewest pieces', () => {
    fc.assert(
      fc.property(shapes, plots(EVERY_TYPE), idLists, (shape, plot, list) => {
        const ids = Uint32Array.from(list)
        const { layout, storages } = buildPlot(shape, NUM_BLOCKS, plot)
        layout.commit(everyId(layout))
        const pieces = rows(planPieces(layout, ids))
        const named = pieces.flatMap(([index, region, offset, length]) =>
          Array.from({ length: length! }, (_, byte) => [index, region, offset! + byte]),
        )
        const expected = [...ids].flatMap((id, index) =>
          addresses({ layout, storages }, id).map(([region, offset]) => [index, region, offset]),
        )
        expect(named).toEqual(expected)
        expect(pieces).toHaveLength(expected.filter((byte, at) => !follows(expected[at - 1], byte)).length)
      }),
      { numRuns: 200 },
    )
  })

  test('one block may be named twice, and neighbouring blocks stay apart', () => {
    const { layout } = buildPlot(SHAPE, 2, { ...PLAIN, type: LayoutType.FullyContiguous })
    expect(rows(planPieces(layout, Uint32Array.of(0, 1, 0)))).toEqual([
      [0, 1, 0, 40],
      [1, 1, 40, 40],
      [2, 1, 0, 40],
    ])
  })

  test('an id that is none, or a block without a page, is a RangeError', () => {
    const { layout } = buildPlot(SHAPE, 2, { ...PLAIN, type: LayoutType.Paged })
    expect(() => planPieces(layout, Uint32Array.of(2))).toThrow(/ids\[0\]: expected 0 to 1, got 2/)
    expect(() => planPieces(layout, Uint32Array.of(0))).toThrow(/commit\(\) it first/)
  })
})

/** The flat buffer as a layout, so that the naive model of copies counts it too. */
function flatEnd(shape: BlockShape, count: number): End {
  const sizeBytes = OFFSET + count * blockBytes(shape) + 5
  const storage = new ArrayStorage({ sizeBytes, regionId: FLAT_REGION, address: 64 - OFFSET })
  storage.commit()
  storage.range(0, sizeBytes).forEach((_, at, bytes) => {
    bytes[at] = at * 7 + (at >> 8) + 1
  })
  const strategy = {
    name: 'flat',
    bind: () => ({
      storageBytes: [sizeBytes],
      locate: (block: number, layer: number, outer: number) => ({
        storage: 0,
        offset:
          OFFSET +
          ((block * shape.numLayers + layer) * shape.outerDim + outer) *
            (blockBytes(shape) / shape.numLayers / shape.outerDim),
      }),
    }),
  }
  const numBlocks = Math.max(1, count)
  const layout = createLayout({
    type: LayoutType.Custom(strategy),
    shape,
    numBlocks,
    storages: [storage],
  })
  return { layout, storages: [storage], ids: Uint32Array.from({ length: count }, (_, index) => index) }
}

type Blocks = Pick<End, 'layout' | 'storages'>

/** Region and offset of every byte of a block. */
function addresses({ layout, storages }: Blocks, id: number): [region: number, offset: number][] {
  return [...regionsOf(layout.shape, [id])].flatMap(({ block, layer, outer }) => {
    const { storage, offset } = layout.locate(block, layer, outer)
    return Array.from({ length: layout.regionBytes }, (_, byte): [number, number] => [
      storages[storage]!.regionId,
      offset + byte,
    ])
  })
}

function canonicalBytes({ layout, storages }: Blocks, id: number): number[] {
  return addresses({ layout, storages }, id).map(
    ([region, offset]) => storages.find(({ regionId }) => regionId === region)!.range(offset, 1)[0]!,
  )
}

function follows(before: (number | undefined)[] | undefined, byte: (number | undefined)[]): boolean {
  return before !== undefined && before[0] === byte[0] && before[1] === byte[1] && before[2]! + 1 === byte[2]
}

function rows(pieces: Float64Array): number[][] {
  return Array.from({ length: pieces.length / 4 }, (_, row) => [...pieces.subarray(row * 4, row * 4 + 4)])
}
