import { invalidArgument, positiveInteger } from '@kvbm/core'
import { PIECE_FIELDS } from './plan-capture.js'
import { CELL_BYTES, DATA_HEADER_BYTES, HEADER_BYTES, LAYER_HEADER_BYTES, MAGIC, VERSION } from './state-file.js'
import { type RowFormat, rowOffset, type StateGeometry, tokenBytes } from './state-geometry.js'

/** What a state file is to hold, and for which context. */
export interface RestoreRequest {
  readonly geometry: StateGeometry
  /** Tokens per block. */
  readonly pageSize: number
  /** The tokens of all blocks: a multiple of `pageSize`, at least one block. */
  readonly tokens: Uint32Array
  /** KV streams of the context that will load the file. Default 1. */
  readonly streams?: number
}

/** Bytes of the file that are not KV rows. */
export interface FramePiece {
  readonly offset: number
  readonly bytes: Uint8Array
}

/** How to write a state file out of blocks: the frame is ours to write, the rows go straight from where the blocks lie. */
export interface RestorePlan {
  readonly sizeBytes: number
  readonly frame: readonly FramePiece[]
  /** Rows for `BlockGather.gather`, in the order of the file. Frame and pieces together cover every byte once. */
  readonly pieces: Float64Array
}

/** Plans a state file of blocks 0 … n − 1, positions 0 … n × pageSize − 1. Throws `RangeError` for tokens that fill no blocks. */
export function planRestore(request: RestoreRequest): RestorePlan {
  const { geometry, pageSize, tokens, streams = 1 } = request
  const blocks = tokens.length / positiveInteger('pageSize', pageSize)
  if (blocks < 1 || !Number.isInteger(blocks))
    throw invalidArgument('tokens.length', `a multiple of pageSize (${pageSize})`, tokens.length)
  const head = prologue(geometry, tokens, positiveInteger('streams', streams))
  const writer = new PlanWriter(geometry, pageSize, blocks)
  writer.frame(head)
  writer.rows(0, geometry.key)
  if (geometry.value) writer.rows(1, geometry.value)
  writer.frame(new Uint8Array((streams - 1) * 4))
  return writer.finish()
}

/** Which state a file is for: its geometry, and how many tokens and streams it has. */
export interface StateExtent {
  readonly geometry: StateGeometry
  readonly tokens: number
  readonly streams: number
}

/** Bytes of a file that holds so many tokens and nothing else. */
export function stateFileBytes({ geometry, tokens, streams }: StateExtent): number {
  const regions = geometry.numLayers * (geometry.value ? 2 : 1)
  const frame = HEADER_BYTES + (streams + 1) * 4 + DATA_HEADER_BYTES + regions * LAYER_HEADER_BYTES
  return frame + tokens * (4 + CELL_BYTES + tokenBytes(geometry))
}

/** Lays frame and rows one after another. */
class PlanWriter {
  readonly #geometry: StateGeometry
  readonly #pageSize: number
  readonly #blocks: number
  readonly #frame: FramePiece[] = []
  readonly #pieces: Float64Array
  #filled = 0
  #offset = 0

  constructor(geometry: StateGeometry, pageSize: number, blocks: number) {
    this.#geometry = geometry
    this.#pageSize = pageSize
    this.#blocks = blocks
    this.#pieces = new Float64Array(geometry.numLayers * (geometry.value ? 2 : 1) * blocks * PIECE_FIELDS)
  }

  frame(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#frame.push({ offset: this.#offset, bytes })
    this.#offset += bytes.length
  }

  rows(outer: 0 | 1, format: RowFormat): void {
    const length = this.#pageSize * format.rowBytes
    for (let layer = 0; layer < this.#geometry.numLayers; layer++) {
      this.frame(layerHeader(format))
      const inBlock = rowOffset(this.#geometry, this.#pageSize, { layer, outer, row: 0 })
      for (let block = 0; block < this.#blocks; block++) this.#piece(block, inBlock, length)
    }
  }

  #piece(block: number, inBlock: number, length: number): void {
    this.#pieces.set([block, inBlock, this.#offset, length], this.#filled)
    this.#filled += PIECE_FIELDS
    this.#offset += length
  }

  finish(): RestorePlan {
    return { sizeBytes: this.#offset, frame: this.#frame, pieces: this.#pieces }
  }
}

// The loader puts the one stream that is not empty where the sequence is, so ours may always be the first.
function prologue(geometry: StateGeometry, tokens: Uint32Array, streams: number): Uint8Array {
  const count = tokens.length
  const bytes = new Uint8Array(HEADER_BYTES + count * 4 + 8 + count * CELL_BYTES + DATA_HEADER_BYTES)
  const words = new DataView(bytes.buffer)
  let at = 0
  const put = (value: number) => {
    words.setUint32(at, value, true)
    at += 4
  }
  for (const word of [MAGIC, VERSION, count]) put(word)
  for (const token of tokens) put(token)
  put(streams)
  put(count)
  for (let position = 0; position < count; position++) for (const word of [position, 1, 0]) put(word)
  put(0)
  put(geometry.numLayers)
  return bytes
}

function layerHeader({ type, rowBytes }: RowFormat): Uint8Array {
  const bytes = new Uint8Array(LAYER_HEADER_BYTES)
  const words = new DataView(bytes.buffer)
  words.setInt32(0, type.id, true)
  words.setUint32(4, rowBytes, true)
  return bytes
}
