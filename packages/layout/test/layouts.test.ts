import { type BlockShape, LayoutType, type Storage } from '@kvbm/core'
import { describe, expect, test } from 'vitest'
import { createLayout, type LayoutGeometry, layoutStorageBytes } from '../src/index.js'
import { ArrayStorage } from '../src/testing/index.js'
import { EVERY_TYPE, nameOf, regionsOf } from './support/random-layouts.js'
import { keysAndValuesApart } from './support/strategies.js'

/** The shape of the original's tests: 7 blocks of 5 × 2 × 4 × 13 elements of 4 bytes. */
const SHAPE: BlockShape = { numLayers: 5, outerDim: 2, pageSize: 4, innerDim: 13, dtype: 'fp32' }
const REGION = 208
const BLOCK = 2080
const STRIDE_256 = 2304

const FC: LayoutGeometry = { type: LayoutType.FullyContiguous, shape: SHAPE, numBlocks: 7 }
const LS: LayoutGeometry = { ...FC, type: LayoutType.LayerSeparate }
const LS_BLOCKS: LayoutGeometry = { ...FC, type: LayoutType.LayerSeparateBlockContiguous }
const PAGED: LayoutGeometry = { ...FC, type: LayoutType.Paged }

describe('fully contiguous', () => {
  test('a region has 208 bytes, a block 2080, aligned to 256 one begins every 2304 (case 30)', () => {
    const { layout } = build({ ...FC, alignment: 256 }, { address: 1000 })
    expect(layout.regionBytes).toBe(REGION)
    expect(layout.blockBytes).toBe(BLOCK)
    const begins = [0, 1, 2].map((block) => layout.locate(block, 0, 0).offset)
    expect(begins.map((begin) => (1000 + begin) % 256)).toEqual([0, 0, 0])
    expect(begins).toEqual([24, 24 + STRIDE_256, 24 + 2 * STRIDE_256])
  })

  test('without alignment the storage has exactly the bytes of the blocks (cases 24, 29)', () => {
    expect(layoutStorageBytes(FC)).toEqual([7 * 5 * 2 * 4 * 13 * 4])
    expect(() => build(FC)).not.toThrow()
  })

  test('with alignment there is slack before the first block and no padding behind the last', () => {
    expect(layoutStorageBytes({ ...FC, alignment: 256 })).toEqual([6 * STRIDE_256 + BLOCK + 255])
  })

  test('one byte too few is refused, with both numbers and the remedy (case 25)', () => {
    expect(() => build(FC, { missing: 1 })).toThrow(
      new RangeError(
        'storages[0]: 14559 bytes are too few, the layout needs 14560 (alignment included). Allocate more or lower numBlocks.',
      ),
    )
  })

  test('a storage at an aligned address needs no slack', () => {
    expect(() => build({ ...FC, alignment: 256 }, { address: 512, missing: 255 })).not.toThrow()
    expect(() => build({ ...FC, alignment: 256 }, { address: 512, missing: 256 })).toThrow(
      /15903 bytes are too few.* needs 15904/,
    )
    expect(() => build({ ...FC, alignment: 256 }, { address: 513, missing: 1 })).toThrow(/are too few/)
  })

  test('first, middle and last regions follow the formula (case 27)', () => {
    const { layout } = build(FC)
    for (const [block, layer, outer] of [
      [0, 0, 0],
      [3, 2, 1],
      [6, 4, 1],
      [0, 4, 0],
      [6, 0, 1],
    ] as const)
      expect(layout.locate(block, layer, outer)).toEqual({
        storage: 0,
        offset: block * BLOCK + layer * 2 * REGION + outer * REGION,
      })
  })

  test('a block is one run, and its view one array of all its layers and outer entries (kvbm §3.4)', () => {
    const { layout } = build(FC)
    expect(layout.wholeBlocks).toBe(true)
    expect((layout.view(6) as Uint8Array).length).toBe(BLOCK)
  })

  test('more than one storage is refused', () => {
    expect(() => build(FC, { storages: 2 })).toThrow(
      'storages: a fully-contiguous layout needs exactly 1, got 2. layoutStorageBytes() gives the sizes.',
    )
  })
})

describe('layer separate', () => {
  test('both orders are made, by their constants (case 31)', () => {
    for (const geometry of [LS, LS_BLOCKS]) {
      const { layout } = build(geometry)
      expect(layout.type).toBe(geometry.type)
      expect(layout.wholeBlocks).toBe(false)
    }
  })

  test('a wrong number of storages is refused, with both numbers (case 32)', () => {
    for (const storages of [0, 4, 6])
      expect(() => build(LS, { storages })).toThrow(`a layer-separate layout needs exactly 5, got ${storages}`)
  })

  test('layer k lies in storage k; keys of all blocks, then values, or block by block (case 33)', () => {
    const [keysFirst, blockwise] = [build(LS).layout, build(LS_BLOCKS).layout]
    for (let layer = 0; layer < 5; layer++) {
      expect(keysFirst.locate(3, layer, 1)).toEqual({ storage: layer, offset: 7 * REGION + 3 * REGION })
      expect(blockwise.locate(3, layer, 1)).toEqual({ storage: layer, offset: 3 * 2 * REGION + REGION })
    }
  })

  test('without alignment both orders need the same number of bytes (kvbm §3.3)', () => {
    expect(layoutStorageBytes(LS)).toEqual(Array(5).fill(7 * 2 * REGION))
    expect(layoutStorageBytes(LS_BLOCKS)).toEqual(layoutStorageBytes(LS))
  })

  test('alignment, sizes and too small storages, in both orders (case 34)', () => {
    expect(layoutStorageBytes({ ...LS, alignment: 256 })).toEqual(Array(5).fill(2 * 7 * 256 + 255))
    expect(layoutStorageBytes({ ...LS_BLOCKS, alignment: 256 })).toEqual(Array(5).fill(7 * 512 + 255))
    const [keysFirst, blockwise] = [LS, LS_BLOCKS].map((type) => build({ ...type, alignment: 256 }, { address: 256 }))
    expect(keysFirst!.layout.locate(1, 0, 1).offset).toBe(7 * 256 + 256)
    expect(blockwise!.layout.locate(1, 0, 1).offset).toBe(512 + REGION)
    for (const geometry of [LS, LS_BLOCKS])
      expect(() => build(geometry, { missing: 1 })).toThrow(/storages\[0\]: 2911 bytes are too few.* needs 2912/)
  })

  test('each storage has an alignment of its own', () => {
    const geometry = { ...LS, alignment: 64 }
    const storages = layoutStorageBytes(geometry).map(
      (sizeBytes, index) => new ArrayStorage({ sizeBytes, regionId: index, address: index }),
    )
    const layout = createLayout({ ...geometry, storages })
    expect([0, 1, 2, 3, 4].map((layer) => layout.locate(0, layer, 0).offset)).toEqual([0, 63, 62, 61, 60])
  })

  test('one storage for two layers is refused: they would overwrite each other', () => {
    const storages = Array<ArrayStorage>(5).fill(new ArrayStorage({ sizeBytes: 7 * 2 * REGION, regionId: 8 }))
    expect(() => createLayout({ ...LS, storages })).toThrow(
      'storages[1]: is the same memory as storages[0] (region 8), so blocks would overlap. Give each its own.',
    )
  })

  test('a block of one layer is one view where its outer entries lie together', () => {
    const shape = { ...SHAPE, numLayers: 1 }
    expect(build({ ...LS_BLOCKS, shape }).layout.view(2)).toBeInstanceOf(Uint8Array)
    expect(build({ ...LS, shape }).layout.view(2)).toHaveLength(2)
  })
})

describe('paged', () => {
  const segmentBytes = 3 * BLOCK

  test('segments are equal, the last holds what is left', () => {
    expect(layoutStorageBytes({ ...PAGED, segmentBytes })).toEqual([3 * BLOCK, 3 * BLOCK, BLOCK])
    expect(layoutStorageBytes({ ...PAGED, segmentBytes: segmentBytes + BLOCK - 1 })).toHaveLength(3)
    expect(layoutStorageBytes({ ...PAGED, segmentBytes, alignment: 256 })).toEqual([
      ...Array(3).fill(2 * STRIDE_256 + 255),
      STRIDE_256 + 255,
    ])
  })

  test('a segment smaller than a page holds one', () => {
    expect(layoutStorageBytes({ ...PAGED, segmentBytes: 1 })).toEqual(Array(7).fill(BLOCK))
  })

  test('blocks get pages when they are first used, and segments become real one by one', () => {
    const { layout, storages } = build({ ...PAGED, segmentBytes })
    const real = () => storages.map(({ committed }) => committed)
    expect(real()).toEqual([false, false, false])
    layout.commit(Uint32Array.of(6, 2, 4))
    expect(real()).toEqual([true, false, false])
    expect([6, 2, 4].map((block) => layout.locate(block, 0, 0).offset)).toEqual([0, BLOCK, 2 * BLOCK])
    layout.commit(Uint32Array.of(2, 0))
    expect(real()).toEqual([true, true, false])
    expect(layout.locate(0, 0, 0)).toEqual({ storage: 1, offset: 0 })
  })

  test('a block that was never used has no place, and says what to do', () => {
    const { layout } = build(PAGED)
    layout.commit(Uint32Array.of(1))
    const message = 'block: expected one with a page, got 0, which was never used. commit() it first.'
    expect(() => layout.locate(0, 0, 0)).toThrow(new RangeError(message))
    expect(() => layout.view(0)).toThrow(new RangeError(message))
  })

  test('a segment that cannot be had leaves its block without a page, and the next try gives it one', () => {
    let full = true
    class FullStorage extends ArrayStorage {
      override commit(): void {
        if (full) throw new Error('no memory left')
        super.commit()
      }
    }
    const storages = layoutStorageBytes(PAGED).map((sizeBytes) => new FullStorage({ sizeBytes, regionId: 1 }))
    const layout = createLayout({ ...PAGED, storages })
    expect(() => layout.commit(Uint32Array.of(5))).toThrow('no memory left')
    expect(() => layout.locate(5, 0, 0)).toThrow(/got 5, which was never used/)
    full = false
    layout.commit(Uint32Array.of(5))
    expect(layout.locate(5, 0, 0)).toEqual({ storage: 0, offset: 0 })
  })

  test('an id that is none leaves all blocks as they were', () => {
    const { layout } = build(PAGED)
    expect(() => layout.commit(Uint32Array.of(1, 7))).toThrow(/ids\[1\]: expected 0 to 6, got 7/)
    expect(() => layout.locate(1, 0, 0)).toThrow(/got 1, which was never used/)
  })
})

describe('custom', () => {
  const CUSTOM: LayoutGeometry = { ...FC, type: LayoutType.Custom(keysAndValuesApart) }

  test('keys and values of one layer may lie in different storages', () => {
    const { layout } = build(CUSTOM)
    expect(layout.locate(2, 3, 0)).toEqual({ storage: 0, offset: (2 * 5 + 3) * REGION })
    expect(layout.locate(2, 3, 1)).toEqual({ storage: 1, offset: (2 * 5 + 3) * REGION })
  })

  test('the strategy hears of the alignment, and its offset 0 lies at an aligned address', () => {
    expect(layoutStorageBytes({ ...CUSTOM, alignment: 256 })).toEqual(Array(2).fill(7 * 1280 + 255))
    const { layout } = build({ ...CUSTOM, alignment: 256 }, { address: 1000 })
    expect(layout.locate(2, 0, 1)).toEqual({ storage: 1, offset: 24 + 2 * 1280 })
  })

  test('errors name the strategy', () => {
    expect(() => build(CUSTOM, { storages: 1 })).toThrow(
      /a custom \(keys-and-values-apart\) layout needs exactly 2, got 1/,
    )
  })
})

describe.each(EVERY_TYPE.map((type) => [nameOf(type), type] as const))('%s', (_, type) => {
  test('tells what it was made of (case 26)', () => {
    const { layout, storages } = build({ ...FC, type })
    expect(layout.type).toBe(type)
    expect(layout.shape).toBe(SHAPE)
    expect(layout.numBlocks).toBe(7)
    expect(layout.storages).toEqual(storages)
    expect([layout.blockBytes, layout.regionBytes]).toEqual([BLOCK, REGION])
  })

  test('an index that equals the count is refused on each axis, in the order block, layer, outer (cases 28, 34)', () => {
    const { layout } = build({ ...FC, type })
    layout.commit(Uint32Array.of(0))
    expect(() => layout.locate(7, 5, 2)).toThrow(new RangeError('block: expected 0 to 6, got 7 (number)'))
    expect(() => layout.locate(0, 5, 2)).toThrow(new RangeError('layer: expected 0 to 4, got 5 (number)'))
    expect(() => layout.locate(0, 0, 2)).toThrow(new RangeError('outer: expected 0 to 1, got 2 (number)'))
  })

  test('a geometry that cannot be is refused, by name (case 23)', () => {
    const sizes = (wrong: object) => () => layoutStorageBytes({ ...FC, type, ...wrong })
    for (const alignment of [3, 0, -1, 1.5, 2 ** 22])
      expect(sizes({ alignment })).toThrow(/alignment: expected a power of two from 1 to 2097152/)
    expect(sizes({ alignment: 2 ** 21 })).not.toThrow()
    expect(sizes({ numBlocks: 0 })).toThrow(/numBlocks: expected a positive integer, got 0/)
    expect(sizes({ shape: { ...SHAPE, numLayers: 0 } })).toThrow(/numLayers/)
    expect(sizes({ shape: { ...SHAPE, outerDim: 3 } })).toThrow(/outerDim: expected 1 or 2, got 3/)
    expect(sizes({ shape: { ...SHAPE, pageSize: 0.5 } })).toThrow(/pageSize/)
    expect(sizes({ shape: { ...SHAPE, innerDim: 0 } })).toThrow(/rowBytes/)
    expect(() => createLayout({ ...FC, type, alignment: 3, storages: [] })).toThrow(/alignment/)
  })
})

test.each(EVERY_TYPE.map((type) => [nameOf(type), type] as const))(
  '%s: the last byte of 100 GiB lies where it must',
  (_, type) => {
    const shape = { ...SHAPE, innerDim: 99_991, pageSize: 16 }
    const geometry = { type, shape, numBlocks: 2000, segmentBytes: 2 ** 42 }
    const storages = layoutStorageBytes(geometry).map((sizeBytes, regionId) => ({ ...NOWHERE, sizeBytes, regionId }))
    const layout = createLayout({ ...geometry, storages })
    layout.commit(Uint32Array.from({ length: 2000 }, (_, block) => block))
    const [storage, end] = [storages.length - 1, storages.at(-1)!.sizeBytes]
    expect(end).toBeGreaterThan(2 ** 32)
    const ends = [0, 1999]
      .flatMap((block) => [...regionsOf(shape, [block])])
      .map(({ block, layer, outer }) => layout.locate(block, layer, outer))
    expect(ends).toContainEqual({ storage, offset: end - layout.regionBytes })
  },
)

test('more bytes than a number counts exactly are refused', () => {
  expect(() => layoutStorageBytes({ ...FC, numBlocks: 2 ** 44 })).toThrow(/bytes of one storage: expected a positive/)
})

test('a word that is no layout type is refused instead of taken for another one', () => {
  for (const type of ['contiguous', undefined, null, {}, { kind: 'layer-separate' }, { kind: 'custom' }])
    expect(() => layoutStorageBytes({ ...FC, type: type as never })).toThrow(/^type: expected a constant of LayoutType/)
})

test('a segment of no bytes is refused', () => {
  expect(() => layoutStorageBytes({ ...PAGED, segmentBytes: 0 })).toThrow(/segmentBytes/)
})

/** Memory that is only a size. */
const NOWHERE: Omit<Storage, 'sizeBytes' | 'regionId'> = {
  kind: 'system',
  alignmentOffset: () => 0,
  commit: () => undefined,
  bytes: () => undefined,
  describe: () => ({ kind: 'system', sizeBytes: 0, facts: {}, notes: [] }),
  close: async () => undefined,
}

interface Building {
  readonly address?: number
  /** Bytes that each storage has too few. */
  readonly missing?: number
  /** How many there are. */
  readonly storages?: number
}

function build(geometry: LayoutGeometry, { address = 0, missing = 0, storages: count }: Building = {}) {
  const sizes = layoutStorageBytes(geometry)
  const storages = Array.from(
    { length: count ?? sizes.length },
    (_, index) => new ArrayStorage({ sizeBytes: (sizes[index] ?? sizes[0])! - missing, regionId: index, address }),
  )
  return { layout: createLayout({ ...geometry, storages }), storages }
}
