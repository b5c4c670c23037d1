import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sortedBy } from '../src/sorted-by.js'

/** Integers of every size, also distances, and multiples that share their lowest 32 bits. */
const keys = fc.oneof(
  fc.integer({ min: -5, max: 5 }),
  fc.maxSafeInteger().map((key) => Math.floor(key / 2)),
  fc.integer({ min: -5, max: 5 }).map((key) => key * 2 ** 32),
  fc.nat(5000).map((key) => key * 4096),
)

test('rows are sorted by the integers of a column, and rows of equal ones keep their order', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(keys, fc.nat()), { maxLength: 50 }), (table) => {
      const order = Uint32Array.from(table.keys()).reverse()
      const expected = [...order].sort((a, b) => table[a]![0] - table[b]![0])
      const column = { rows: Float64Array.from(table.flat()), at: 0, step: 2 }
      expect([...sortedBy(order, column)]).toEqual(expected)
    }),
    { numRuns: 500 },
  )
})
