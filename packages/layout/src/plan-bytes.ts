import { nonNegativeInteger } from '@kvbm/core'
import { checkIds } from './check-index.js'
import type { CopyPlan } from './copy-plan.js'
import { flatSide, layoutSide } from './copy-side.js'
import { indices } from './indices.js'
import type { Layout } from './layout.js'
import { planBetween } from './plan-between.js'

/** Some blocks of one layout, and the flat buffer that has their canonical bytes. */
export interface BytesRequest {
  readonly layout: Layout
  readonly ids: Uint32Array
  /** Region of a flat buffer: canonical bytes of block i of `ids` begin at `offset + i × blockBytes`. */
  readonly region: number
  /** In bytes. Default 0. */
  readonly offset?: number
  /** `write`: buffer → blocks, no id twice; `read`: blocks → buffer. */
  readonly direction: 'write' | 'read'
}

/**
 * The fewest runs between blocks and a flat buffer of their canonical bytes (layer, outer, token, inner). Commits the blocks.
 * Throws `RangeError` for ids out of range.
 */
export function planBytes({ layout, ids, region, offset = 0, direction }: BytesRequest): CopyPlan {
  checkIds('ids', ids, layout)
  nonNegativeInteger('offset', offset)
  layout.commit(ids)
  const blocks = layoutSide(layout)
  const buffer = flatSide(layout.shape, region, offset)
  const places = indices(ids.length)
  const layers = { from: 0, to: layout.shape.numLayers }
  return direction === 'write'
    ? planBetween({ from: buffer, fromIds: places, to: blocks, toIds: ids, layers })
    : planBetween({ from: blocks, fromIds: ids, to: buffer, toIds: places, layers })
}
