import { blockBytes, regionBytes, rowBytes } from '@kvbm/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { naivePlaces } from './support/naive-places.js'
import { BUILT_IN, buildPlot, EVERY_TYPE, everyId, plots, regionsOf, shapes } from './support/random-layouts.js'

const numBlocks = fc.integer({ min: 1, max: 9 })

test('any layout of any shape puts every region where the naive walk puts it', () => {
  fc.assert(
    fc.property(shapes, numBlocks, plots(BUILT_IN), (shape, numBlocks, plot) => {
      const { layout } = buildPlot(shape, numBlocks, plot)
      layout.commit(everyId(layout))
      const naive = naivePlaces({ ...plot, shape, numBlocks, row: rowBytes(shape) })
      for (const { block, layer, outer } of regionsOf(shape, everyId(layout)))
        expect(layout.locate(block, layer, outer)).toEqual(naive(block, layer, outer))
    }),
    { numRuns: 300 },
  )
})

test('any layout of any shape gives every byte of every block a byte of its own, inside of its storage', () => {
  fc.assert(
    fc.property(shapes, numBlocks, plots(EVERY_TYPE), (shape, numBlocks, plot) => {
      const { layout, storages } = buildPlot(shape, numBlocks, plot)
      layout.commit(everyId(layout))
      const used = storages.map(({ sizeBytes }) => new Uint8Array(sizeBytes))
      for (const { block, layer, outer } of regionsOf(shape, everyId(layout))) {
        const { storage, offset } = layout.locate(block, layer, outer)
        for (let byte = offset; byte < offset + regionBytes(shape); byte++) {
          expect(used[storage]![byte], `byte ${byte} of storage ${storage}`).toBe(0)
          used[storage]![byte] = 1
        }
      }
      expect(used.flatMap((bytes) => [...bytes]).filter((byte) => byte === 1)).toHaveLength(
        numBlocks * blockBytes(shape),
      )
    }),
    { numRuns: 300 },
  )
})

test('any layout of any shape begins its blocks at aligned addresses', () => {
  fc.assert(
    fc.property(shapes, numBlocks, plots(EVERY_TYPE), (shape, numBlocks, plot) => {
      const { layout } = buildPlot(shape, numBlocks, plot)
      layout.commit(everyId(layout))
      for (const block of everyId(layout))
        expect((plot.address + layout.locate(block, 0, 0).offset) % plot.alignment).toBe(0)
    }),
    { numRuns: 100 },
  )
})
