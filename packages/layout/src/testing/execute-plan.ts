import { invalidArgument } from '@kvbm/core'
import type { CopyPlan } from '../copy-plan.js'
import { RUN_FIELDS } from '../run-list.js'
import type { ArrayStorage } from './array-storage.js'

/** **For tests**: does what a copy plan says. Throws `RangeError` for a region that is none, or was never committed. */
export function executePlan({ runs }: Pick<CopyPlan, 'runs'>, storages: readonly ArrayStorage[]): void {
  const regions = new Map(storages.map((storage) => [storage.regionId, storage]))
  const range = (region: number, offset: number, length: number): Uint8Array => {
    const storage = regions.get(region)
    if (storage?.committed !== true) throw invalidArgument('region', 'the number of a committed storage', region)
    return storage.range(offset, length)
  }
  for (let row = 0; row < runs.length; row += RUN_FIELDS) {
    const length = runs[row + 4]!
    const source = range(runs[row]!, runs[row + 1]!, length)
    range(runs[row + 2]!, runs[row + 3]!, length).set(source)
  }
}
