import { invalidArgument } from '@kvbm/core'
import { checkIds } from './check-index.js'
import type { Layout } from './layout.js'
import { type CopyPlan, RunList } from './run-list.js'

/** Numbers of one piece: index of the block, offset in its canonical bytes, offset in the hand-over storage, length. */
const PIECE_FIELDS = 4

/** Pieces of some blocks, and the storage through which an engine hands them over. */
export interface HandOverRequest {
  readonly layout: Layout
  /** Blocks that pieces name by their index here. */
  readonly ids: Uint32Array
  /** Rows as `BlockBytes` describes them. Rows of other blocks than `first … first + ids.length` are left out. */
  readonly pieces: Float64Array
  /** Index, in `pieces`, of the first block of `ids`. Default 0. */
  readonly first?: number
  /** Region of the hand-over storage. */
  readonly region: number
  /** `gather`: blocks → hand-over storage; `scatter`: hand-over storage → blocks. */
  readonly direction: 'gather' | 'scatter'
}

/** The fewest runs between blocks and an engine's hand-over storage. Commits the blocks. Throws `RangeError` for a bad piece. */
export function planHandOver({ layout, ids, pieces, first = 0, region, direction }: HandOverRequest): CopyPlan {
  checkIds('ids', ids, layout)
  if (pieces.length % PIECE_FIELDS !== 0) throw invalidArgument('pieces.length', 'a multiple of 4', pieces.length)
  layout.commit(ids)
  const list = new RunList(pieces.length / PIECE_FIELDS)
  for (let row = 0; row < pieces.length; row += PIECE_FIELDS) {
    const index = pieces[row]! - first
    if (index < 0 || index >= ids.length) continue
    const [inBlock, handOver, length] = [pieces[row + 1]!, pieces[row + 2]!, pieces[row + 3]!]
    checkPiece(row / PIECE_FIELDS, inBlock, length, layout.blockBytes)
    eachRun(layout, ids[index]!, inBlock, length, (blockRegion, at, done, bytes) => {
      if (direction === 'gather') list.add(blockRegion, at, region, handOver + done, bytes)
      else list.add(region, handOver + done, blockRegion, at, bytes)
    })
  }
  return list.finish()
}

type RunVisitor = (region: number, offset: number, done: number, length: number) => void

/** The runs of a range of a block's canonical bytes: one where blocks are whole, else cut where regions end. */
function eachRun(layout: Layout, id: number, inBlock: number, length: number, visit: RunVisitor): void {
  if (layout.wholeBlocks) {
    visit(layout.storages[layout.storageOf(id, 0, 0)]!.regionId, layout.offsetOf(id, 0, 0) + inBlock, 0, length)
    return
  }
  const { regionBytes } = layout
  for (let done = 0; done < length; ) {
    const region = Math.floor((inBlock + done) / regionBytes)
    const layer = Math.floor(region / layout.shape.outerDim)
    const outer = region % layout.shape.outerDim
    const inRegion = inBlock + done - region * regionBytes
    const bytes = Math.min(regionBytes - inRegion, length - done)
    const offset = layout.offsetOf(id, layer, outer) + inRegion
    visit(layout.storages[layout.storageOf(id, layer, outer)]!.regionId, offset, done, bytes)
    done += bytes
  }
}

function checkPiece(row: number, inBlock: number, length: number, blockBytes: number): void {
  const fits = Number.isInteger(inBlock) && Number.isInteger(length) && inBlock >= 0 && length >= 0
  if (!fits || inBlock + length > blockBytes)
    throw invalidArgument(
      `pieces[${row}]`,
      `a range within the ${blockBytes} bytes of a block`,
      `${inBlock} + ${length}`,
    )
}
