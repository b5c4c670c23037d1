import {
  type BlockShape,
  type InnerOrder,
  invalidArgument,
  positiveInteger,
  rowBytes,
  type TransposedTable,
} from '@kvbm/core'

/** A change of the order of elements in each region. */
export interface Reorder {
  /** Order in the source. */
  readonly from: InnerOrder
  /** Order in the target. */
  readonly to: InnerOrder
  /** Heads of a row: a divisor of `innerDim`, or of the bytes of a row of an opaque dtype. */
  readonly kvHeads: number
}

/**
 * The table that a region of the source is, of the parts of a head in a token. Undefined where its bytes stay in their order: for
 * equal orders, one token or one head. Throws `RangeError` for an order that is none and heads that do not divide a row.
 */
export function tableOf(shape: BlockShape, { from, to, kvHeads }: Reorder): TransposedTable | undefined {
  checkOrder('reorder.from', from)
  checkOrder('reorder.to', to)
  checkHeads(shape, kvHeads)
  const { pageSize } = shape
  if (from === to || pageSize === 1 || kvHeads === 1) return undefined
  const cellBytes = rowBytes(shape) / kvHeads
  return from === 'nhd'
    ? { rows: pageSize, columns: kvHeads, cellBytes }
    : { rows: kvHeads, columns: pageSize, cellBytes }
}

function checkOrder(name: string, order: InnerOrder): void {
  if (order !== 'nhd' && order !== 'hnd') throw invalidArgument(name, "'nhd' or 'hnd'", order)
}

function checkHeads({ innerDim, dtype }: BlockShape, kvHeads: number): void {
  positiveInteger('reorder.kvHeads', kvHeads)
  const [what, row] = typeof dtype === 'string' ? ['innerDim', innerDim] : ['dtype.bytesPerToken', dtype.bytesPerToken]
  if (row % kvHeads !== 0) throw invalidArgument('reorder.kvHeads', `a divisor of ${what}, ${row}`, kvHeads)
}
