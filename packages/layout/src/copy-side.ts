import { type BlockShape, blockBytes, regionBytes } from '@kvbm/core'
import type { Layout } from './layout.js'

/** How blocks are walked so that their bytes come in ascending order. */
export type Axes =
  | readonly ['block', 'layer', 'outer']
  | readonly ['layer', 'block', 'outer']
  | readonly ['layer', 'outer', 'block']

/** One end of a copy: blocks of a layout, or blocks one after another in a flat buffer. */
export interface CopySide {
  readonly shape: BlockShape
  readonly wholeBlocks: boolean
  readonly axes: Axes
  regionOf(block: number, layer: number, outer: number): number
  offsetOf(block: number, layer: number, outer: number): number
}

/** The blocks of a layout. */
export function layoutSide(layout: Layout): CopySide {
  const regions = layout.storages.map(({ regionId }) => regionId)
  return {
    shape: layout.shape,
    wholeBlocks: layout.wholeBlocks,
    axes: axesOf(layout),
    regionOf: (block, layer, outer) => regions[layout.storageOf(block, layer, outer)]!,
    offsetOf: (block, layer, outer) => layout.offsetOf(block, layer, outer),
  }
}

/** A flat buffer: canonical bytes of block i begin at `offset + i × blockBytes`. */
export function flatSide(shape: BlockShape, region: number, begin: number): CopySide {
  const [block, part] = [blockBytes(shape), regionBytes(shape)]
  return {
    shape,
    wholeBlocks: true,
    axes: ['block', 'layer', 'outer'],
    regionOf: () => region,
    offsetOf: (index, layer, outer) => begin + index * block + (layer * shape.outerDim + outer) * part,
  }
}

function axesOf({ wholeBlocks, type }: Layout): Axes {
  if (wholeBlocks) return ['block', 'layer', 'outer']
  const apart = typeof type === 'object' && type.kind === 'layer-separate' && type.outerContiguous
  return apart ? ['layer', 'outer', 'block'] : ['layer', 'block', 'outer']
}
