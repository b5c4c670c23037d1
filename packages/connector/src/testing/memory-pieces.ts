import type { StateShape } from './state-file.js'

export interface PieceRequest {
  readonly shape: StateShape
  readonly pageSize: number
  /** Numbers of the blocks in the sequence; row i of the result is block `blocks[i]`. */
  readonly blocks: readonly number[]
  /** Where rows of region 0 begin in the hand-over storage, and bytes from one region to the next. */
  readonly offset: number
  readonly regionStride: number
}

/** Which bytes of a block lie where in the hand-over: one piece for each block and region. */
export function piecesOf({ shape, pageSize, blocks, offset, regionStride }: PieceRequest): Float64Array {
  const length = pageSize * shape.rowBytes
  const rows: number[] = []
  for (const [index, block] of blocks.entries())
    for (let region = 0; region < shape.regions; region++)
      rows.push(index, region * length, offset + region * regionStride + block * length, length)
  return Float64Array.from(rows)
}
