import { checkIds } from './check-index.js'
import type { Layout } from './layout.js'
import { PLACE_FIELDS, placesOf } from './places-of.js'

/** Numbers of one piece: index of the block, region, offset, length. */
export const PIECE_FIELDS = 4

/**
 * Rows of four numbers for `TransferJob.sums`: index in `ids`, region, offset, length. The rows of a block stand in canonical
 * order, neighbours joined, so its sum does not depend on the layout. Throws `RangeError` for ids out of range and blocks without
 * a page.
 */
export function planPieces(layout: Layout, ids: Uint32Array): Float64Array {
  checkIds('ids', ids, layout)
  const { rows, partsOfBlock, partBytes } = placesOf(layout, ids)
  const pieces = new Float64Array(ids.length * partsOfBlock * PIECE_FIELDS)
  let used = 0
  for (let index = 0, at = 0; index < ids.length; index++)
    for (let part = 0; part < partsOfBlock; part++, at += PLACE_FIELDS) {
      const last = used - PIECE_FIELDS
      if (part > 0 && pieces[last + 1] === rows[at] && pieces[last + 2]! + pieces[last + 3]! === rows[at + 1]) {
        pieces[last + 3]! += partBytes
        continue
      }
      pieces[used] = index
      pieces[used + 1] = rows[at]!
      pieces[used + 2] = rows[at + 1]!
      pieces[used + 3] = partBytes
      used += PIECE_FIELDS
    }
  return pieces.subarray(0, used)
}
