import { nonNegativeInteger } from '@kvbm/core'
import type { Layout } from './layout.js'
import { checkIds } from './plan-copy.js'
import { type CopyPlan, RunList } from './run-list.js'

export interface BytesRequest {
  readonly layout: Layout
  readonly ids: Uint32Array
  /** Region of a flat buffer: canonical bytes of block i begin at `offset + i × blockBytes`. */
  readonly region: number
  readonly offset?: number
  /** `write`: buffer → blocks; `read`: blocks → buffer. */
  readonly direction: 'write' | 'read'
}

/** The fewest runs between blocks and a flat buffer of their canonical bytes. Commits the blocks. */
export function planBytes({ layout, ids, region, offset = 0, direction }: BytesRequest): CopyPlan {
  checkIds('ids', ids, layout)
  nonNegativeInteger('offset', offset)
  layout.commit(ids)
  const list = new RunList(ids.length)
  eachPiece(layout, ids, (index, storage, at, length, inBlock) => {
    const flat = offset + index * layout.blockBytes + inBlock
    if (direction === 'write') list.add(region, flat, storage, at, length)
    else list.add(storage, at, region, flat, length)
  })
  return list.finish()
}

/** Rows of four numbers for `TransferJob.sums`: index in `ids`, region, offset, length. Canonical order within a block. */
export function planPieces(layout: Layout, ids: Uint32Array): Float64Array {
  checkIds('ids', ids, layout)
  const rows: number[] = []
  eachPiece(layout, ids, (index, region, offset, length) => {
    const last = rows.length - 4
    const joins =
      last >= 0 && rows[last] === index && rows[last + 1] === region && rows[last + 2]! + rows[last + 3]! === offset
    if (joins) rows[last + 3]! += length
    else rows.push(index, region, offset, length)
  })
  return Float64Array.from(rows)
}

type PieceVisitor = (index: number, region: number, offset: number, length: number, inBlock: number) => void

/** Visits the pieces of each block in canonical order: the whole block at once where it is one run. */
function eachPiece(layout: Layout, ids: Uint32Array, visit: PieceVisitor): void {
  const { numLayers, outerDim } = layout.shape
  for (let index = 0; index < ids.length; index++) {
    const id = ids[index]!
    if (layout.wholeBlocks) {
      visit(index, layout.storages[layout.storageOf(id, 0)]!.regionId, layout.offsetOf(id, 0, 0), layout.blockBytes, 0)
      continue
    }
    for (let layer = 0; layer < numLayers; layer++) {
      const region = layout.storages[layout.storageOf(id, layer)]!.regionId
      for (let outer = 0; outer < outerDim; outer++) {
        visit(
          index,
          region,
          layout.offsetOf(id, layer, outer),
          layout.regionBytes,
          (layer * outerDim + outer) * layout.regionBytes,
        )
      }
    }
  }
}
