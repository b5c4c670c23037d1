import { invalidArgument, nonNegativeInteger } from '@kvbm/core'

/** Throws a `RangeError` that names the wrong number unless `offset … offset+length` lies inside `sizeBytes`. */
export function checkRange(offset: number, length: number, sizeBytes: number): void {
  nonNegativeInteger('offset', offset)
  nonNegativeInteger('length', length)
  if (offset + length > sizeBytes) {
    throw invalidArgument('offset + length', `at most ${sizeBytes}, the size of the storage`, offset + length)
  }
}
