import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PiecesByBlock } from '../src/pieces-by-block.js'

const ROW = fc.tuple(fc.integer({ min: -1, max: 7 }), fc.nat(99), fc.nat(99), fc.nat(9))

test('the pieces of some blocks are theirs, in the order in which they were given, and no others', () => {
  fc.assert(
    fc.property(fc.array(ROW), fc.nat(5), fc.nat(5), (rows, first, more) => {
      const count = first + more
      const found = new PiecesByBlock(Float64Array.from(rows.flat()), count).of(first, more)
      const expected = rows.filter(([block]) => block >= first && block < count)
      const inOrder = expected.toSorted(([a], [b]) => a - b)
      expect([...found]).toEqual(inOrder.flat())
    }),
  )
})

test('rows that name no block at all are left out', () => {
  const rows = Float64Array.of(0.5, 1, 2, 3, Number.NaN, 1, 2, 3, 1, 4, 5, 6)
  expect([...new PiecesByBlock(rows, 2).of(0, 2)]).toEqual([1, 4, 5, 6])
})

test('rows that are cut off are a RangeError', () => {
  expect(() => new PiecesByBlock(new Float64Array(5), 2)).toThrow(RangeError)
})
