import { type BlockShape, blockBytes, regionBytes } from '@kvbm/core'
import type { Layout } from './layout.js'

/** One end of a copy: blocks of a layout, or blocks one after another in a flat buffer. */
export interface CopySide {
  readonly shape: BlockShape
  readonly regionBytes: number
  readonly wholeBlocks: boolean
  /** What lies together: whole blocks, all blocks' parts of one layer, or of one layer and outer entry. */
  readonly together: 'block' | 'layer' | 'outer'
  regionOf(block: number, layer: number, outer: number): number
  offsetOf(block: number, layer: number, outer: number): number
}

/** The blocks of a layout. */
export function layoutSide(layout: Layout): CopySide {
  const { shape, wholeBlocks, regionBytes } = layout
  const regions = layout.storages.map(({ regionId }) => regionId)
  return {
    shape,
    regionBytes,
    wholeBlocks,
    together: togetherIn(layout),
    regionOf: (block, layer, outer) => regions[layout.storageOf(block, layer, outer)]!,
    offsetOf: (block, layer, outer) => layout.offsetOf(block, layer, outer),
  }
}

/** A flat buffer: canonical bytes of block i begin at `begin + i × blockBytes`. */
export function flatSide(shape: BlockShape, region: number, begin: number): CopySide {
  const [whole, part] = [blockBytes(shape), regionBytes(shape)]
  return {
    shape,
    regionBytes: part,
    wholeBlocks: true,
    together: 'block',
    regionOf: () => region,
    offsetOf: (block, layer, outer) => begin + block * whole + (layer * shape.outerDim + outer) * part,
  }
}

function togetherIn({ wholeBlocks, type }: Layout): CopySide['together'] {
  if (wholeBlocks) return 'block'
  return typeof type === 'object' && type.kind === 'layer-separate' && type.outerContiguous ? 'outer' : 'layer'
}
