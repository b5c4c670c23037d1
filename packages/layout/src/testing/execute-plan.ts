import { invalidArgument, type TransposedTable } from '@kvbm/core'
import type { CopyPlan } from '../copy-plan.js'
import { RUN_FIELDS } from '../run-list.js'
import type { ArrayStorage } from './array-storage.js'

/** **For tests**: does what a copy plan says. Throws `RangeError` for a region that is none, or was never committed. */
export function executePlan(
  { runs, transpose }: Pick<CopyPlan, 'runs' | 'transpose'>,
  storages: readonly ArrayStorage[],
): void {
  const regions = new Map(storages.map((storage) => [storage.regionId, storage]))
  const range = (region: number, offset: number, length: number): Uint8Array => {
    const storage = regions.get(region)
    if (storage?.committed !== true) throw invalidArgument('region', 'the number of a committed storage', region)
    return storage.range(offset, length)
  }
  for (let row = 0; row < runs.length; row += RUN_FIELDS) {
    const length = runs[row + 4]!
    const source = range(runs[row]!, runs[row + 1]!, length)
    const target = range(runs[row + 2]!, runs[row + 3]!, length)
    target.set(transpose === undefined ? source : transposed(source, transpose))
  }
}

/** Throws `RangeError` for bytes that are no such table. */
function transposed(bytes: Uint8Array, { rows, columns, cellBytes }: TransposedTable): Uint8Array {
  const tableBytes = rows * columns * cellBytes
  if (bytes.length !== tableBytes) throw invalidArgument('length of a run', `${tableBytes}, of a table`, bytes.length)
  const result = new Uint8Array(tableBytes)
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const cell = (row * columns + column) * cellBytes
      result.set(bytes.subarray(cell, cell + cellBytes), (column * rows + row) * cellBytes)
    }
  return result
}
