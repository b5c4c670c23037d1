import type { TransposedTable } from '@kvbm/core'
import type { CheckedCopy } from './checked-copy.js'
import type { CopyPlan } from './copy-plan.js'
import { placeRows } from './place-rows.js'
import { RUN_FIELDS } from './run-list.js'

/** A run for each region, block by block: each is a table of its own, so none are joined. */
export function planTables(copy: CheckedCopy, transpose: TransposedTable): CopyPlan {
  const { from, fromIds, layers } = copy
  const { outerDim } = from.shape
  const runs = new Float64Array(fromIds.length * (layers.to - layers.from) * outerDim * RUN_FIELDS)
  placeRows(copy, layers, { from: 0, to: outerDim }, { rows: runs, at: 0, step: RUN_FIELDS })
  for (let at = RUN_FIELDS - 1; at < runs.length; at += RUN_FIELDS) runs[at] = from.regionBytes
  return { runs, bytes: (runs.length / RUN_FIELDS) * from.regionBytes, transpose }
}
