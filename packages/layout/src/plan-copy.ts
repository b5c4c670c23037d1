import { invalidArgument } from '@kvbm/core'
import { checkIndex, type Layout } from './layout.js'
import { type CopyPlan, RunList } from './run-list.js'

export interface LayerRange {
  readonly from: number
  /** Not included. */
  readonly to: number
}

export interface CopyRequest {
  readonly from: Layout
  readonly fromIds: Uint32Array
  readonly to: Layout
  /** Parallel to `fromIds`. */
  readonly toIds: Uint32Array
  /** Default: all. */
  readonly layers?: LayerRange
}

/**
 * The fewest runs that copy blocks between two layouts: pieces are put in the order of the source, so all that are neighbours on
 * both sides become one run. Commits the target blocks. Throws `RangeError` for unlike shapes, unequal lists and ids out of range.
 */
export function planCopy({ from, fromIds, to, toIds, layers }: CopyRequest): CopyPlan {
  expectAlike(from, to)
  if (fromIds.length !== toIds.length)
    throw invalidArgument('toIds.length', `${fromIds.length}, one target per source`, toIds.length)
  const range = checkLayers(from, layers)
  checkIds('fromIds', fromIds, from)
  checkIds('toIds', toIds, to)
  to.commit(toIds)
  const list = new RunList(fromIds.length)
  if (from.wholeBlocks && to.wholeBlocks) addWholeBlocks(list, from, fromIds, to, toIds, range)
  else addRegions(list, from, fromIds, to, toIds, range)
  return list.finish()
}

function addWholeBlocks(
  list: RunList,
  from: Layout,
  fromIds: Uint32Array,
  to: Layout,
  toIds: Uint32Array,
  { from: first, to: end }: LayerRange,
): void {
  const length = (end - first) * from.shape.outerDim * from.regionBytes
  for (let index = 0; index < fromIds.length; index++) {
    const source = fromIds[index]!
    const target = toIds[index]!
    list.add(
      regionOf(from, source, first),
      from.offsetOf(source, first, 0),
      regionOf(to, target, first),
      to.offsetOf(target, first, 0),
      length,
    )
  }
}

function addRegions(
  list: RunList,
  from: Layout,
  fromIds: Uint32Array,
  to: Layout,
  toIds: Uint32Array,
  range: LayerRange,
): void {
  for (let layer = range.from; layer < range.to; layer++) {
    for (let index = 0; index < fromIds.length; index++) {
      const source = fromIds[index]!
      const target = toIds[index]!
      const [fromRegion, toRegion] = [regionOf(from, source, layer), regionOf(to, target, layer)]
      for (let outer = 0; outer < from.shape.outerDim; outer++) {
        list.add(
          fromRegion,
          from.offsetOf(source, layer, outer),
          toRegion,
          to.offsetOf(target, layer, outer),
          from.regionBytes,
        )
      }
    }
  }
}

function regionOf(layout: Layout, block: number, layer: number): number {
  return layout.storages[layout.storageOf(block, layer)]!.regionId
}

function checkLayers(layout: Layout, layers: LayerRange | undefined): LayerRange {
  const { numLayers } = layout.shape
  const range = layers ?? { from: 0, to: numLayers }
  if (
    !(
      Number.isInteger(range.from) &&
      Number.isInteger(range.to) &&
      range.from >= 0 &&
      range.from <= range.to &&
      range.to <= numLayers
    )
  ) {
    throw invalidArgument('layers', `a range within 0 to ${numLayers}`, `${range.from} to ${range.to}`)
  }
  return range
}

export function checkIds(name: string, ids: Uint32Array, layout: Layout): void {
  for (let index = 0; index < ids.length; index++)
    if (ids[index]! >= layout.numBlocks) checkIndex(`${name}[${index}]`, ids[index]!, layout.numBlocks)
}

function expectAlike(from: Layout, to: Layout): void {
  const { numLayers, outerDim, pageSize } = from.shape
  const other = to.shape
  if (
    numLayers === other.numLayers &&
    outerDim === other.outerDim &&
    pageSize === other.pageSize &&
    from.regionBytes === to.regionBytes
  )
    return
  const describe = (layout: Layout): string =>
    `${layout.shape.numLayers} layers × ${layout.shape.outerDim} × ${layout.shape.pageSize} tokens, ${layout.regionBytes} bytes a region`
  throw new RangeError(`to: blocks of unlike shapes cannot be copied: ${describe(from)} against ${describe(to)}`)
}
