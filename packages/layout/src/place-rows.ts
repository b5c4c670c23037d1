import type { CheckedCopy, LayerRange } from './checked-copy.js'
import type { Column } from './column.js'

/**
 * Fills rows of runs, but for their lengths: pair by pair, of each pair some layers and outer entries. The column begins at the
 * first row, its steps are rows.
 */
export function placeRows(copy: CheckedCopy, layers: LayerRange, outers: LayerRange, { rows, at, step }: Column): void {
  const { from, fromIds, to, toIds } = copy
  const pair = (layers.to - layers.from) * (outers.to - outers.from) * step
  for (let layer = layers.from, row = at; layer < layers.to; layer++)
    for (let outer = outers.from; outer < outers.to; outer++, row += step) {
      from.locateAll(fromIds, layer, outer, { rows, at: row, step: pair })
      to.locateAll(toIds, layer, outer, { rows, at: row + 2, step: pair })
    }
}
