import { LayoutType } from '@kvbm/core'
import { describe, expect, test } from 'vitest'
import { type LayoutConformanceOptions, layoutConformance } from '../src/testing/index.js'
import { backwards, broken, keysAndValuesApart, misplaced } from './support/strategies.js'

const LAYOUTS: Record<string, LayoutConformanceOptions> = {
  FullyContiguous: { type: LayoutType.FullyContiguous },
  'LayerSeparate, [outer][block]': { type: LayoutType.LayerSeparate },
  'LayerSeparate, [block][outer]': { type: LayoutType.LayerSeparateBlockContiguous },
  'Paged, one segment': { type: LayoutType.Paged },
  'Paged, segments of some pages': { type: LayoutType.Paged, segmentBytes: 5000 },
  'Paged, a segment per page': { type: LayoutType.Paged, segmentBytes: 1 },
  'Custom, keys and values apart': { type: LayoutType.Custom(keysAndValuesApart) },
  'Custom, blocks backwards': { type: LayoutType.Custom(backwards) },
}

// Case 37: the original's verifier looks at the sizes of 2 × 2 × 1 regions; here every byte of every region is looked at.
const VERIFIED = { numLayers: 2, outerDim: 1, pageSize: 4, innerDim: 13, dtype: 'fp32' } as const

for (const [name, options] of Object.entries(LAYOUTS)) {
  describe(name, () => {
    for (const { name, run } of layoutConformance(options)) test(name, run)
    test('2 blocks of 2 layers of 1 outer entry pass everything (case 37)', () => {
      for (const { run } of layoutConformance({ ...options, shapes: [VERIFIED], numBlocks: [2] })) run()
    })
  })
}

describe('a broken strategy does not pass', () => {
  const INSIDE = 'every region lies inside of its storage'
  const BIJECTIVE = 'every region has a place of its own'
  const DISJOINT = 'no two regions share a byte'
  const PURE = 'a region has the same place whenever it is asked for, also after binding again'
  const ALIGNED = 'a block begins at an aligned address in each of its storages'
  const KEEPS = 'every block keeps its own bytes when all are written, in any order'
  const ROOM = 'its storages have room for every byte of every block'

  test('regions that overlap by a byte', () => {
    const type = misplaced('overlapping', (address, block) => ({ ...address, offset: address.offset - (block && 1) }))
    const found = failures({ type, shapes: [VERIFIED], alignments: [1] })
    expect(found[DISJOINT]).toMatch(/block 0, layer 1, outer 0 and block 1, layer 0, outer 0 share 1 bytes/)
    expect(found).toHaveProperty([KEEPS])
    expect(found).not.toHaveProperty([BIJECTIVE])
  })

  test('a region that ends a byte behind its storage', () => {
    const type = misplaced('too-far', (address, block, layer, _, { numBlocks, shape }) =>
      block === numBlocks - 1 && layer === shape.numLayers - 1 ? { ...address, offset: address.offset + 1 } : address,
    )
    expect(failures({ type, alignments: [1] })[INSIDE]).toMatch(/too-far\.locate\(0, 0, 0\).*lie outside of storage 0/)
  })

  test('a region before its storage', () => {
    const type = misplaced('too-low', (address) => ({ ...address, offset: address.offset - 1 }))
    expect(failures({ type })[INSIDE]).toMatch(/at -1 lie outside/)
  })

  test('an offset between two bytes', () => {
    const type = misplaced('halves', (address) => ({ ...address, offset: address.offset + 0.5 }))
    expect(failures({ type })[INSIDE]).toMatch(/at 0\.5 lie outside/)
  })

  test('a storage that is none', () => {
    const type = misplaced('third-tensor', (address) => ({ ...address, storage: address.storage + 1 }))
    expect(failures({ type })[INSIDE]).toMatch(/storage 1 \(there is no such storage\)/)
  })

  test('two blocks in one place', () => {
    const type = misplaced('folded', (address, block, _l, _o, { numBlocks }) =>
      block === 0 ? address : { ...address, offset: (address.offset * (numBlocks - 1)) % address.offset },
    )
    const found = failures({ type, shapes: [VERIFIED], alignments: [1] })
    expect(found[BIJECTIVE]).toMatch(/both begin at offset 0 of storage 0/)
    expect(found).toHaveProperty([DISJOINT])
    expect(found).toHaveProperty([KEEPS])
  })

  test('keys and values in one place', () => {
    const type = misplaced('fused', (address) => ({ ...address, storage: 0 }))
    expect(failures({ type })[BIJECTIVE]).toMatch(/outer 1 and block 0, layer 0, outer 0 both begin at/)
  })

  test('places that change with time', () => {
    let asked = 0
    const type = misplaced('moving', (address, block, _l, _o, { numBlocks }) =>
      asked++ % 5 === 0 && block === numBlocks - 1 ? { ...address, offset: 0 } : address,
    )
    expect(failures({ type, shapes: [VERIFIED] })).toHaveProperty([PURE])
  })

  test('places that change from one binding to the next', () => {
    let bound = 0
    const type = broken('rotating', ({ storageBytes, locate }, { numBlocks }) => {
      const turn = bound++
      return { storageBytes, locate: (block, layer, outer) => locate((block + turn) % numBlocks, layer, outer) }
    })
    const found = failures({ type, shapes: [VERIFIED] })
    expect(Object.keys(found)).toEqual([PURE])
    expect(found[PURE]).toMatch(/bound again, it answers differently/)
  })

  test('blocks where the alignment does not want them', () => {
    const type = misplaced('packed', (address, block, layer, _o, { shape }) => ({
      ...address,
      offset: (block * shape.numLayers + layer) * shape.pageSize * 52,
    }))
    const shape = { ...VERIFIED, outerDim: 2 } as const
    expect(Object.keys(failures({ type, shapes: [shape] }))).toEqual([ALIGNED])
    expect(failures({ type, shapes: [shape] })[ALIGNED]).toMatch(/block 1 begins in storage 0 160 bytes behind/)
    expect(failures({ type, shapes: [shape], alignments: [1] })).toEqual({})
  })

  test.each([
    ['none', []],
    ['zero', [0]],
    ['broken', [1.5]],
    ['absurd', [2 ** 53]],
  ])('sizes of storages that are %s', (_, storageBytes) => {
    const type = broken('sizeless', (bound) => ({ ...bound, storageBytes }))
    expect(failures({ type })[ROOM]).toMatch(/sizeless.storageBytes: expected a list of positive sizes/)
  })

  test('storages that are too small for all blocks', () => {
    const type = broken('tight', (bound) => ({ ...bound, storageBytes: bound.storageBytes.map(() => 1) }))
    expect(failures({ type })[ROOM]).toMatch(/cannot hold the .* bytes of all blocks/)
  })
})

/** Failed cases, and what each says. */
function failures(options: LayoutConformanceOptions): Record<string, string> {
  const found: Record<string, string> = {}
  for (const { name, run } of layoutConformance(options)) {
    try {
      run()
    } catch (error) {
      found[name] = (error as Error).message
    }
  }
  return found
}
