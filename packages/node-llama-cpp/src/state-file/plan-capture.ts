import { invalidArgument, positiveInteger } from '@kvbm/core'
import type { StateFile } from './state-file.js'
import { rowOffset } from './state-geometry.js'

/** Which blocks to cut out of a state file. */
export interface CaptureRequest {
  /** Tokens per block. */
  readonly pageSize: number
  readonly fromBlock: number
  /** Exclusive; at most the number of full blocks. */
  readonly toBlock: number
}

/** Numbers of one piece, as core's `BlockBytes` describes them: block, offset in its canonical bytes, offset in the file, length. */
export const PIECE_FIELDS = 4

/**
 * Which bytes of the file make blocks `fromBlock … toBlock`: rows for `BlockScatter.scatter`, whose block indices begin at 0, in
 * the order of the file. Throws `RangeError` for blocks that the file's tokens do not fill.
 */
export function planCapture(file: StateFile, { pageSize, fromBlock, toBlock }: CaptureRequest): Float64Array {
  const full = Math.floor(file.tokens.length / positiveInteger('pageSize', pageSize))
  if (
    !Number.isInteger(fromBlock) ||
    !Number.isInteger(toBlock) ||
    fromBlock < 0 ||
    fromBlock > toBlock ||
    toBlock > full
  )
    throw invalidArgument('fromBlock … toBlock', `a range within ${full} full blocks`, `${fromBlock} … ${toBlock}`)
  const runs = runsOf(file.spans, pageSize, fromBlock, toBlock)
  const { geometry, keysAt, valuesAt } = file
  const pieces = new Float64Array((keysAt.length + valuesAt.length) * (runs.length / RUN_FIELDS) * PIECE_FIELDS)
  let at = 0
  for (const outer of [0, 1] as const) {
    const starts = outer === 0 ? keysAt : valuesAt
    const rowBytes = (outer === 0 ? geometry.key : geometry.value)?.rowBytes ?? 0
    for (let layer = 0; layer < starts.length; layer++) {
      const base = rowOffset(geometry, pageSize, { layer, outer, row: 0 })
      at = emit(pieces, at, runs, { base, start: starts[layer]!, rowBytes })
    }
  }
  return pieces
}

/** Numbers of one run: block, row in the block, cell, rows. */
const RUN_FIELDS = 4

/** The spans, cut where blocks end. */
function runsOf(spans: Uint32Array, pageSize: number, fromBlock: number, toBlock: number): number[] {
  const runs: number[] = []
  for (let row = 0; row < spans.length; row += 3) {
    const [position, cell, length] = [spans[row]!, spans[row + 1]!, spans[row + 2]!]
    const end = Math.min(position + length, toBlock * pageSize)
    for (let at = Math.max(position, fromBlock * pageSize); at < end; ) {
      const block = Math.floor(at / pageSize)
      const rows = Math.min(end, (block + 1) * pageSize) - at
      runs.push(block - fromBlock, at - block * pageSize, cell + at - position, rows)
      at += rows
    }
  }
  return runs
}

interface RowRegion {
  /** Offset of the region in a block. */
  readonly base: number
  /** Offset of the layer's first row in the file. */
  readonly start: number
  readonly rowBytes: number
}

function emit(pieces: Float64Array, at: number, runs: readonly number[], { base, start, rowBytes }: RowRegion): number {
  for (let run = 0; run < runs.length; run += RUN_FIELDS) {
    pieces[at++] = runs[run]!
    pieces[at++] = base + runs[run + 1]! * rowBytes
    pieces[at++] = start + runs[run + 2]! * rowBytes
    pieces[at++] = runs[run + 3]! * rowBytes
  }
  return at
}
