import { PIECE_FIELDS } from '../state-file/plan-capture.js'

/** Which of the pieces are stored: those of the first `count` wanted blocks. */
export interface WantedPieces {
  /** 1 for every block that is wanted. */
  readonly wanted: Uint8Array
  /** Blocks for which there is room. */
  readonly count: number
}

/** The pieces of wanted blocks; block i of the result is the i-th wanted one. */
export function wantedPieces(pieces: Float64Array, { wanted, count }: WantedPieces): Float64Array {
  const rank = ranksOf(wanted)
  const kept = new Float64Array(pieces.length)
  let length = 0
  for (let at = 0; at < pieces.length; at += PIECE_FIELDS) {
    const block = pieces[at]!
    if (wanted[block] !== 1 || rank[block]! >= count) continue
    kept.set(pieces.subarray(at, at + PIECE_FIELDS), length)
    kept[length] = rank[block]!
    length += PIECE_FIELDS
  }
  return kept.subarray(0, length)
}

/** How many wanted blocks stand before each. */
function ranksOf(wanted: Uint8Array): Uint32Array {
  const ranks = new Uint32Array(wanted.length)
  for (let index = 1; index < wanted.length; index++) ranks[index] = ranks[index - 1]! + wanted[index - 1]!
  return ranks
}
