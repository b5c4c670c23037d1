import type { Layout } from './layout.js'

/** Where some blocks lie, part by part in canonical order: a part is a region, or all of a block that is whole. */
export interface Places {
  /** Rows of region and offset. */
  readonly rows: Float64Array
  readonly partsOfBlock: number
  readonly partBytes: number
}

export const PLACE_FIELDS = 2

/** Throws `RangeError` for blocks without a page. */
export function placesOf(layout: Layout, ids: Uint32Array): Places {
  const { numLayers, outerDim } = layout.wholeBlocks ? { numLayers: 1, outerDim: 1 } : layout.shape
  const partsOfBlock = numLayers * outerDim
  const rows = new Float64Array(ids.length * partsOfBlock * PLACE_FIELDS)
  const step = partsOfBlock * PLACE_FIELDS
  for (let part = 0; part < partsOfBlock; part++) {
    const outer = part % outerDim
    layout.locateAll(ids, (part - outer) / outerDim, outer, { rows, at: part * PLACE_FIELDS, step })
  }
  return { rows, partsOfBlock, partBytes: layout.blockBytes / partsOfBlock }
}
