import type { BlockShape } from '@kvbm/core'
import fc from 'fast-check'
import type { LayerRange } from '../../src/index.js'
import type { ArrayStorage } from '../../src/testing/index.js'
import type { End } from './naive-copy.js'
import { buildPlot, everyId, type Plot } from './random-layouts.js'

const NUM_BLOCKS = 9
const block = fc.integer({ min: 0, max: NUM_BLOCKS - 1 })

/** Sources and targets, none of them twice. */
export const idPairs = fc.uniqueArray(fc.tuple(block, block), {
  maxLength: 7,
  comparator: ([a, b], [c, d]) => a === c || b === d,
})

/** What `layerRange` makes layers of. */
export const layerBounds = fc.tuple(fc.nat(4), fc.nat(4))

export function layerRange({ numLayers }: BlockShape, [a, b]: readonly [number, number]): LayerRange {
  return { from: Math.min(a, b, numLayers), to: Math.min(Math.max(a, b), numLayers) }
}

/** Source and target; every byte of both is filled, so that a stray write shows. */
export function build(
  shape: BlockShape,
  from: Plot,
  to: Plot,
  pairs: readonly (readonly [number, number])[],
): { from: End; to: End } {
  const make = (plot: Plot, firstRegion: number, ids: number[]): End => {
    const { layout, storages } = buildPlot(shape, NUM_BLOCKS, plot, firstRegion)
    // Pages are given in this order.
    layout.commit(everyId(layout).map((block) => (block * 4 + 1) % NUM_BLOCKS))
    for (const storage of storages) fill(storage)
    return { layout, storages, ids: Uint32Array.from(ids) }
  }
  const sources = pairs.map(([source]) => source)
  const targets = pairs.map(([, target]) => target)
  return { from: make(from, 1, sources), to: make(to, 101, targets) }
}

function fill(storage: ArrayStorage): void {
  storage.range(0, storage.sizeBytes).forEach((_, at, bytes) => {
    bytes[at] = (at * 31 + (at >> 8) * 7 + storage.regionId * 101) & 0xff
  })
}
