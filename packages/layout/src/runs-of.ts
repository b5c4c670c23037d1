import type { Layout } from './layout.js'

/** Some bytes of a block that lie together. */
export interface Run {
  /** Index of the storage. */
  readonly storage: number
  readonly offset: number
  length: number
}

/** The bytes of a block in canonical order, neighbours joined. */
export function runsOf(layout: Layout, block: number): readonly Run[] {
  const { numLayers, outerDim } = layout.shape
  if (layout.wholeBlocks) {
    return [{ storage: layout.storageOf(block, 0, 0), offset: layout.offsetOf(block, 0, 0), length: layout.blockBytes }]
  }
  const runs: Run[] = []
  for (let layer = 0; layer < numLayers; layer++) {
    for (let outer = 0; outer < outerDim; outer++) {
      const storage = layout.storageOf(block, layer, outer)
      const offset = layout.offsetOf(block, layer, outer)
      const last = runs.at(-1)
      if (last?.storage === storage && last.offset + last.length === offset) last.length += layout.regionBytes
      else runs.push({ storage, offset, length: layout.regionBytes })
    }
  }
  return runs
}
