import type { CopySide } from './copy-side.js'
import { type CopyPlan, RunList } from './run-list.js'

/** Consecutive layers. */
export interface LayerRange {
  readonly from: number
  /** Not included. */
  readonly to: number
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
  const { from, to, fromIds, layers } = copy
  const list = new RunList(fromIds.length)
  if (layers.from === layers.to) return list.finish()
  const pairs = inSourceOrder(copy)
  if (from.wholeBlocks && to.wholeBlocks) addWholeBlocks(list, copy, pairs)
  else addRegions(list, copy, pairs)
  return list.finish()
}

/** Indices of the pairs, ascending by where the source's first region lies. */
function inSourceOrder({ from, fromIds, layers }: CheckedCopy): Uint32Array {
  const pairs = new Uint32Array(fromIds.length)
  const regions = new Float64Array(fromIds.length)
  const offsets = new Float64Array(fromIds.length)
  let ascending = true
  for (let pair = 0; pair < pairs.length; pair++) {
    pairs[pair] = pair
    regions[pair] = from.regionOf(fromIds[pair]!, layers.from, 0)
    offsets[pair] = from.offsetOf(fromIds[pair]!, layers.from, 0)
    ascending &&= pair === 0 || compare(pair - 1, pair) <= 0
  }
  function compare(a: number, b: number): number {
    return regions[a]! - regions[b]! || offsets[a]! - offsets[b]!
  }
  return ascending ? pairs : pairs.sort(compare)
}

function addWholeBlocks(list: RunList, { from, fromIds, to, toIds, layers }: CheckedCopy, pairs: Uint32Array): void {
  const first = layers.from
  const length = (layers.to - first) * from.shape.outerDim * from.regionBytes
  for (const pair of pairs) {
    const source = fromIds[pair]!
    const target = toIds[pair]!
    list.add(
      from.regionOf(source, first, 0),
      from.offsetOf(source, first, 0),
      to.regionOf(target, first, 0),
      to.offsetOf(target, first, 0),
      length,
    )
  }
}

/** In the order in which the source has them. */
function addRegions(list: RunList, copy: CheckedCopy, pairs: Uint32Array): void {
  const { from, layers } = copy
  const outers = { from: 0, to: from.shape.outerDim }
  if (from.together === 'layer') {
    addPart(list, copy, pairs, layers, outers)
  } else if (from.together === 'block') {
    for (let at = 0; at < pairs.length; at++) addPart(list, copy, pairs.subarray(at, at + 1), layers, outers)
  } else {
    for (let layer = layers.from; layer < layers.to; layer++)
      for (let outer = 0; outer < outers.to; outer++)
        addPart(list, copy, pairs, { from: layer, to: layer + 1 }, { from: outer, to: outer + 1 })
  }
}

/** Some layers and outer entries of some pairs: layer by layer, in each pair by pair. */
function addPart(
  list: RunList,
  { from, fromIds, to, toIds }: CheckedCopy,
  pairs: Uint32Array,
  layers: LayerRange,
  outers: LayerRange,
): void {
  for (let layer = layers.from; layer < layers.to; layer++)
    for (const pair of pairs) {
      const source = fromIds[pair]!
      const target = toIds[pair]!
      for (let outer = outers.from; outer < outers.to; outer++)
        list.add(
          from.regionOf(source, layer, outer),
          from.offsetOf(source, layer, outer),
          to.regionOf(target, layer, outer),
          to.offsetOf(target, layer, outer),
          from.regionBytes,
        )
    }
}
