import { invalidArgument, regionBytes } from '@kvbm/core'
import { type CopySide, layoutSide } from './copy-side.js'
import { checkIds, type Layout } from './layout.js'
import { type CopyPlan, RunList } from './run-list.js'

/** Consecutive layers. */
export interface LayerRange {
  readonly from: number
  /** Not included. */
  readonly to: number
}

/** Some blocks of one layout, and the blocks of another that get their bytes. */
export interface CopyRequest {
  readonly from: Layout
  readonly fromIds: Uint32Array
  readonly to: Layout
  /** Parallel to `fromIds`; no id twice. */
  readonly toIds: Uint32Array
  /** Default: all. */
  readonly layers?: LayerRange
}

/**
 * The fewest runs that copy blocks between two layouts: all pieces that are neighbours on both sides are one run. Commits the
 * target blocks. Throws `RangeError` for unlike shapes, unequal lists, ids out of range and source blocks without a page.
 */
export function planCopy({ from, fromIds, to, toIds, layers }: CopyRequest): CopyPlan {
  expectAlike(from, to)
  if (fromIds.length !== toIds.length)
    throw invalidArgument('toIds.length', `${fromIds.length}, one target per source`, toIds.length)
  const range = checkLayers(from, layers)
  checkIds('fromIds', fromIds, from)
  checkIds('toIds', toIds, to)
  to.commit(toIds)
  return planBetween({ from: layoutSide(from), fromIds, to: layoutSide(to), toIds, layers: range })
}

/** A copy whose arguments were checked. */
export interface CheckedCopy {
  readonly from: CopySide
  readonly fromIds: Uint32Array
  readonly to: CopySide
  readonly toIds: Uint32Array
  readonly layers: LayerRange
}

/** Visits the pieces in the order of the source, so that neighbours meet. */
export function planBetween(copy: CheckedCopy): CopyPlan {
  const list = new RunList(copy.fromIds.length)
  const pairs = inSourceOrder(copy)
  if (copy.from.wholeBlocks && copy.to.wholeBlocks) addWholeBlocks(list, copy, pairs)
  else addRegions(list, copy, pairs)
  return list.finish()
}

/** Indices of the pairs, ascending by where the first region of the source lies. */
function inSourceOrder({ from, fromIds, layers: { from: layer, to } }: CheckedCopy): Uint32Array {
  const order = Uint32Array.from(fromIds, (_, index) => index)
  if (layer === to) return order
  const regions = Float64Array.from(fromIds, (id) => from.regionOf(id, layer, 0))
  const offsets = Float64Array.from(fromIds, (id) => from.offsetOf(id, layer, 0))
  return order.sort((a, b) => regions[a]! - regions[b]! || offsets[a]! - offsets[b]!)
}

function addWholeBlocks(list: RunList, { from, fromIds, to, toIds, layers }: CheckedCopy, pairs: Uint32Array): void {
  const { outerDim } = from.shape
  const first = layers.from
  const length = (layers.to - first) * outerDim * regionBytes(from.shape)
  for (const pair of pairs) {
    const [source, target] = [fromIds[pair]!, toIds[pair]!]
    list.add(
      from.regionOf(source, first, 0),
      from.offsetOf(source, first, 0),
      to.regionOf(target, first, 0),
      to.offsetOf(target, first, 0),
      length,
    )
  }
}

function addRegions(list: RunList, copy: CheckedCopy, pairs: Uint32Array): void {
  const { from, layers } = copy
  const at = { block: 0, layer: 0, outer: 0 }
  const ends = { block: pairs.length, layer: layers.to - layers.from, outer: from.shape.outerDim }
  const [slow, middle, fast] = from.axes
  for (at[slow] = 0; at[slow] < ends[slow]; at[slow]++)
    for (at[middle] = 0; at[middle] < ends[middle]; at[middle]++)
      for (at[fast] = 0; at[fast] < ends[fast]; at[fast]++)
        addRegion(list, copy, pairs[at.block]!, layers.from + at.layer, at.outer)
}

function addRegion(
  list: RunList,
  { from, fromIds, to, toIds }: CheckedCopy,
  pair: number,
  layer: number,
  outer: number,
): void {
  const [source, target] = [fromIds[pair]!, toIds[pair]!]
  list.add(
    from.regionOf(source, layer, outer),
    from.offsetOf(source, layer, outer),
    to.regionOf(target, layer, outer),
    to.offsetOf(target, layer, outer),
    regionBytes(from.shape),
  )
}

function checkLayers({ shape }: Layout, layers: LayerRange | undefined): LayerRange {
  if (layers === undefined) return { from: 0, to: shape.numLayers }
  const { from, to } = layers
  const isRange = Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from <= to && to <= shape.numLayers
  if (!isRange) throw invalidArgument('layers', `a range within 0 to ${shape.numLayers}`, `${from} to ${to}`)
  return layers
}

function expectAlike(from: Layout, to: Layout): void {
  const [source, target] = [describe(from), describe(to)]
  if (source === target) return
  throw new RangeError(`to: blocks of unlike shapes cannot be copied: ${source} against ${target}`)
}

function describe({ shape: { numLayers, outerDim, pageSize }, regionBytes }: Layout): string {
  return `${numLayers} layers × ${outerDim} × ${pageSize} tokens, ${regionBytes} bytes a region`
}
