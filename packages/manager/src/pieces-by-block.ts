import { invalidArgument } from '@kvbm/core'

/** Numbers of one piece; see `BlockBytes`. */
const PIECE_FIELDS = 4

/** Pieces of a hand-over, put in the order of their blocks, so that a part of the blocks is found without going through all. */
export class PiecesByBlock {
  readonly #rows: Float64Array
  /** Where, in `#rows`, the pieces of block i begin; one more at the end. */
  readonly #starts: Float64Array

  /** Blocks are numbered below `count`; pieces of others are left out. Throws `RangeError` for rows that are cut off. */
  constructor(pieces: Float64Array, count: number) {
    if (pieces.length % PIECE_FIELDS !== 0) throw invalidArgument('pieces.length', 'a multiple of 4', pieces.length)
    this.#starts = startsOf(pieces, count)
    this.#rows = new Float64Array(this.#starts[count]!)
    const next = this.#starts.slice()
    for (let row = 0; row < pieces.length; row += PIECE_FIELDS) {
      const at = next[pieces[row]!]
      if (at === undefined || pieces[row] === count) continue
      this.#rows.set(pieces.subarray(row, row + PIECE_FIELDS), at)
      next[pieces[row]!]! += PIECE_FIELDS
    }
  }

  /** The pieces of blocks `first` to before `first + count`. */
  of(first: number, count: number): Float64Array {
    return this.#rows.subarray(this.#starts[first], this.#starts[first + count])
  }
}

function startsOf(pieces: Float64Array, count: number): Float64Array {
  const starts = new Float64Array(count + 1)
  for (let row = 0; row < pieces.length; row += PIECE_FIELDS) {
    const block = pieces[row]!
    if (Number.isInteger(block) && block >= 0 && block < count) starts[block + 1]! += PIECE_FIELDS
  }
  for (let block = 0; block < count; block++) starts[block + 1]! += starts[block]!
  return starts
}
