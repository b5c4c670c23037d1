import { invalidArgument } from '@kvbm/core'
import { checkIds } from './check-index.js'
import type { CopyPlan } from './copy-plan.js'
import type { Layout } from './layout.js'
import { PLACE_FIELDS, type Places, placesOf } from './places-of.js'
import { RunList } from './run-list.js'

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
export function planHandOver(request: HandOverRequest): CopyPlan {
  const { layout, ids, pieces, first = 0 } = request
  checkIds('ids', ids, layout)
  if (pieces.length % PIECE_FIELDS !== 0) throw invalidArgument('pieces.length', 'a multiple of 4', pieces.length)
  layout.commit(ids)
  const list = new RunList(pieces.length / PIECE_FIELDS)
  const places = placesOf(layout, ids)
  for (let row = 0; row < pieces.length; row += PIECE_FIELDS) {
    const index = pieces[row]! - first
    if (index < 0 || index >= ids.length) continue
    checkPiece(row / PIECE_FIELDS, pieces[row + 1]!, pieces[row + 3]!, layout.blockBytes)
    addPiece(list, places, request, row)
  }
  return list.finish()
}

/** The runs of one row: cut where parts of its block end. */
function addPiece(list: RunList, places: Places, request: HandOverRequest, row: number): void {
  const { pieces, first = 0, region, direction } = request
  const { rows, partsOfBlock, partBytes } = places
  const firstPart = (pieces[row]! - first) * partsOfBlock
  for (let done = 0; done < pieces[row + 3]!; ) {
    const inBlock = pieces[row + 1]! + done
    const inPart = inBlock % partBytes
    const length = Math.min(partBytes - inPart, pieces[row + 3]! - done)
    const at = (firstPart + (inBlock - inPart) / partBytes) * PLACE_FIELDS
    const handOver = pieces[row + 2]! + done
    if (direction === 'gather') list.add(rows[at]!, rows[at + 1]! + inPart, region, handOver, length)
    else list.add(region, handOver, rows[at]!, rows[at + 1]! + inPart, length)
    done += length
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
