import { invalidArgument } from '@kvbm/core'
import type { Layout } from './layout.js'

/** Throws `RangeError` unless `index` is an integer from 0 to below `count`. */
export function checkIndex(axis: string, index: number, count: number): void {
  if (!(Number.isInteger(index) && index >= 0 && index < count)) throw invalidArgument(axis, `0 to ${count - 1}`, index)
}

/** Throws `RangeError` naming the first id that is no block of the layout. */
export function checkIds(name: string, ids: Uint32Array, { numBlocks }: Pick<Layout, 'numBlocks'>): void {
  for (let index = 0; index < ids.length; index++)
    if (!(ids[index]! < numBlocks)) checkIndex(`${name}[${index}]`, ids[index]!, numBlocks)
}
