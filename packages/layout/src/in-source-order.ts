import type { CheckedCopy } from './checked-copy.js'
import type { Column } from './column.js'
import { indices } from './indices.js'
import { sortedBy } from './sorted-by.js'

/** The same copy, its pairs ascending by where the source's first region lies: spares sorting the many more runs at the end. */
export function inSourceOrder(copy: CheckedCopy): CheckedCopy {
  const { from, fromIds, toIds, layers } = copy
  const rows = new Float64Array(fromIds.length * 2)
  from.locateAll(fromIds, layers.from, 0, { rows, at: 0, step: 2 })
  if (isAscending(rows)) return copy
  const column = (at: number): Column => ({ rows, at, step: 2 })
  const order = sortedBy(sortedBy(indices(fromIds.length), column(1)), column(0))
  return { ...copy, fromIds: picked(fromIds, order), toIds: picked(toIds, order) }
}

/** Rows of region and offset. */
function isAscending(rows: Float64Array): boolean {
  for (let at = 2; at < rows.length; at += 2)
    if (rows[at]! < rows[at - 2]! || (rows[at] === rows[at - 2] && rows[at + 1]! < rows[at - 1]!)) return false
  return true
}

function picked(ids: Uint32Array, order: Uint32Array): Uint32Array {
  const result = new Uint32Array(ids.length)
  for (let index = 0; index < ids.length; index++) result[index] = ids[order[index]!]!
  return result
}
