import { type BlockShape, blockBytes, regionBytes } from '@kvbm/core'
import type { Layout } from './layout.js'
import { locateEvenly } from './locate-evenly.js'

/** One end of a copy: blocks of a layout, or blocks one after another in a flat buffer. */
export interface CopySide extends Pick<Layout, 'shape' | 'regionBytes' | 'wholeBlocks' | 'locateAll'> {
  /** What lies together: whole blocks, all blocks' parts of one layer, or of one layer and outer entry. */
  readonly together: 'block' | 'layer' | 'outer'
}

/** The blocks of a layout. */
export function layoutSide(layout: Layout): CopySide {
  const { shape, wholeBlocks, regionBytes } = layout
  const locateAll: Layout['locateAll'] = (ids, layer, outer, into) => layout.locateAll(ids, layer, outer, into)
  return { shape, regionBytes, wholeBlocks, locateAll, together: togetherIn(layout) }
}

/** A flat buffer: canonical bytes of block i begin at `offset + i × blockBytes`. */
export function flatSide(shape: BlockShape, region: number, offset: number): CopySide {
  const [stride, part] = [blockBytes(shape), regionBytes(shape)]
  const beginOf = (layer: number, outer: number): number => offset + (layer * shape.outerDim + outer) * part
  return {
    shape,
    regionBytes: part,
    wholeBlocks: true,
    together: 'block',
    locateAll: (ids, layer, outer, into) => locateEvenly(ids, { region, begin: beginOf(layer, outer), stride }, into),
  }
}

function togetherIn({ wholeBlocks, type }: Layout): CopySide['together'] {
  if (wholeBlocks) return 'block'
  return typeof type === 'object' && type.kind === 'layer-separate' && type.outerContiguous ? 'outer' : 'layer'
}
