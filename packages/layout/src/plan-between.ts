import type { CheckedCopy, LayerRange } from './checked-copy.js'
import type { CopyPlan } from './copy-plan.js'
import { inSourceOrder } from './in-source-order.js'
import { placeRows } from './place-rows.js'
import { RunList } from './run-list.js'

/** Pairs whose rows are filled at a time, where all parts of a pair are: bounds the rows that wait to be joined. */
const PAIRS_AT_A_TIME = 256

/** Visits the pieces in the order of the source, so that neighbours meet. */
export function planBetween(copy: CheckedCopy): CopyPlan {
  const list = new RunList(copy.fromIds.length)
  if (copy.layers.from === copy.layers.to) return list.finish()
  const sorted = inSourceOrder(copy)
  if (copy.from.wholeBlocks && copy.to.wholeBlocks) addWholeBlocks(list, sorted)
  else addRegions(list, sorted)
  return list.finish()
}

function addWholeBlocks(list: RunList, copy: CheckedCopy): void {
  const { from, layers } = copy
  const length = (layers.to - layers.from) * from.shape.outerDim * from.regionBytes
  addPart(list, copy, { from: layers.from, to: layers.from + 1 }, { from: 0, to: 1 }, length)
}

/** In the order in which the source has them. */
function addRegions(list: RunList, copy: CheckedCopy): void {
  const { from, layers } = copy
  const outers = { from: 0, to: from.shape.outerDim }
  if (from.together === 'block') {
    for (const some of inChunks(copy)) addPart(list, some, layers, outers, from.regionBytes)
    return
  }
  for (const layer of each(layers))
    if (from.together === 'layer') addPart(list, copy, layer, outers, from.regionBytes)
    else for (const outer of each(outers)) addPart(list, copy, layer, outer, from.regionBytes)
}

/** Some layers and outer entries of all pairs, pair by pair; a row of `length` bytes for each. */
function addPart(list: RunList, copy: CheckedCopy, layers: LayerRange, outers: LayerRange, length: number): void {
  const count = copy.fromIds.length * (layers.to - layers.from) * (outers.to - outers.from)
  placeRows(copy, layers, outers, list.reserve(count))
  list.addReserved(count, length)
}

function* inChunks(copy: CheckedCopy): Generator<CheckedCopy> {
  for (let pair = 0; pair < copy.fromIds.length; pair += PAIRS_AT_A_TIME) {
    const chunk = (ids: Uint32Array): Uint32Array => ids.subarray(pair, pair + PAIRS_AT_A_TIME)
    yield { ...copy, fromIds: chunk(copy.fromIds), toIds: chunk(copy.toIds) }
  }
}

function* each({ from, to }: LayerRange): Generator<LayerRange> {
  for (let index = from; index < to; index++) yield { from: index, to: index + 1 }
}
