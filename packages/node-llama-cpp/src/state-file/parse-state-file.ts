import { ggmlType } from '../ggml-type.js'
import type { ByteSource } from './byte-source.js'
import {
  CELL_BYTES,
  CELL_EXTRA_BYTES,
  DATA_HEADER_BYTES,
  HEADER_BYTES,
  LAYER_HEADER_BYTES,
  MAGIC,
  type ParsedState,
  type StateFile,
  type StateRefusal,
  VERSION,
} from './state-file.js'
import type { RowFormat } from './state-geometry.js'

/** What a caller knows of a state file beforehand. */
export interface ParseOptions {
  /** More tokens or cells than this are refused. Give the context size. Default 16,777,216. */
  readonly cellsMax?: number
  /** Whether layers have values beside keys. Not so in MLA caches; the file does not say. Default true. */
  readonly values?: boolean
}

/** No context of llama.cpp has more sequences than 256, and so no more streams. */
const STREAMS_MAX = 256
/** Cells read at once, so that a file's counts decide over no buffer. */
const CELLS_PER_READ = 4096

/**
 * Finds every row in a per-sequence state file of llama.cpp, format version 3. Nothing in the file is trusted: each count is held
 * against the bytes that are there before anything is allocated or read. Rows themselves are not read and not checked: the format
 * has no checksum. Throws only what the source throws.
 */
export function parseStateFile(source: ByteSource, options: ParseOptions = {}): ParsedState {
  const { cellsMax = 2 ** 24, values = true } = options
  try {
    return { ok: true, file: parse(new Reader(source), { cellsMax, values }) }
  } catch (error) {
    if (error instanceof Refused) return { ok: false, reason: error.reason, detail: error.message }
    throw error
  }
}

class Refused extends Error {
  readonly reason: StateRefusal

  constructor(reason: StateRefusal, detail: string) {
    super(detail)
    this.reason = reason
  }
}

/** A place in the source. Every step is checked against its end. */
class Reader {
  readonly source: ByteSource
  offset = 0

  constructor(source: ByteSource) {
    this.source = source
  }

  get remaining(): number {
    return this.source.sizeBytes - this.offset
  }

  skip(count: number, bytesEach: number, what: string): number {
    if (count > Math.floor(this.remaining / bytesEach))
      throw new Refused('truncated', `${count} × ${bytesEach} bytes of ${what} announced, ${this.remaining} left`)
    const start = this.offset
    this.offset += count * bytesEach
    return start
  }

  view(length: number, what: string): DataView {
    return this.viewAt(this.skip(1, length, what), length, what)
  }

  viewAt(offset: number, length: number, what: string): DataView {
    const bytes = this.source.read(offset, length)
    if (bytes.length < length) throw new Refused('truncated', `${bytes.length} of ${length} bytes of ${what} readable`)
    return new DataView(bytes.buffer, bytes.byteOffset, length)
  }

  u32(what: string): number {
    return this.view(4, what).getUint32(0, true)
  }
}

interface Stream {
  readonly cells: number
  readonly cellsAt: number
  readonly layers: Layers
}

interface Layers {
  readonly key: RowFormat
  readonly value: RowFormat | undefined
  readonly keysAt: Float64Array
  readonly valuesAt: Float64Array
}

function parse(reader: Reader, options: Required<ParseOptions>): StateFile {
  const tokenCount = parseHeader(reader, options.cellsMax)
  const tokensAt = reader.skip(tokenCount, 4, 'tokens')
  const streams = reader.u32('stream count')
  if (streams < 1 || streams > STREAMS_MAX) throw new Refused('malformed', `${streams} streams, expected 1 to 256`)
  const { cells, cellsAt, layers } = parseStreams(reader, streams, options)
  if (reader.remaining > 0) throw new Refused('trailing-bytes', `${reader.remaining} bytes after the last stream`)
  if (cells < tokenCount) throw new Refused('cells-missing', `${cells} cells for ${tokenCount} tokens`)
  return {
    sizeBytes: reader.source.sizeBytes,
    geometry: { numLayers: layers.keysAt.length, key: layers.key, value: layers.value },
    tokens: readTokens(reader, tokensAt, tokenCount),
    streams,
    spans: spansOf(readCells(reader, cellsAt, cells)),
    keysAt: layers.keysAt,
    valuesAt: layers.valuesAt,
  }
}

function parseHeader(reader: Reader, cellsMax: number): number {
  const header = reader.view(HEADER_BYTES, 'header')
  const [magic, version, tokens] = [0, 4, 8].map((at) => header.getUint32(at, true)) as [number, number, number]
  if (magic !== MAGIC) throw new Refused('foreign-magic', `0x${magic.toString(16)}, expected 0x${MAGIC.toString(16)}`)
  if (version !== VERSION) throw new Refused('other-version', `version ${version}, expected ${VERSION}`)
  if (tokens === 0) throw new Refused('empty', 'no tokens')
  if (tokens > cellsMax) throw new Refused('too-large', `${tokens} tokens, at most ${cellsMax} expected`)
  return tokens
}

/** Empty streams are a zero each, before and after the one that holds the sequence. */
function parseStreams(reader: Reader, streams: number, { cellsMax, values }: Required<ParseOptions>): Stream {
  let found: Stream | undefined
  for (let stream = 0; stream < streams; stream++) {
    const cells = reader.u32('cell count')
    if (cells === 0) continue
    if (found) throw new Refused('several-streams', `stream ${stream} is the second that holds cells`)
    if (cells > cellsMax) throw new Refused('too-large', `${cells} cells, at most ${cellsMax} expected`)
    found = parseStream(reader, cells, { values, bytesAfter: (streams - stream - 1) * 4 })
  }
  if (!found) throw new Refused('empty', `no cells in ${streams} streams`)
  return found
}

interface StreamShape {
  readonly values: boolean
  /** Bytes after this stream: a zero for each further one. */
  readonly bytesAfter: number
}

function parseStream(reader: Reader, cells: number, shape: StreamShape): Stream {
  const cellsAt = reader.offset
  try {
    reader.skip(cells, CELL_BYTES, 'cells')
    return { cells, cellsAt, layers: parseLayers(reader, cells, shape.values) }
  } catch (error) {
    if (error instanceof Refused && fitsWithExtras(reader.source, cellsAt, cells, shape))
      throw new Refused('extra-cell-records', 'cells carry 2D positions or tokens')
    throw error
  }
}

/** Cells do not say how long they are; longer ones show in that everything after them fits to the byte. */
function fitsWithExtras(source: ByteSource, cellsAt: number, cells: number, shape: StreamShape): boolean {
  const retry = new Reader(source)
  retry.offset = cellsAt
  try {
    retry.skip(cells, CELL_BYTES + CELL_EXTRA_BYTES, 'cells')
    parseLayers(retry, cells, shape.values)
    return retry.remaining === shape.bytesAfter
  } catch (error) {
    if (error instanceof Refused) return false
    throw error
  }
}

function parseLayers(reader: Reader, cells: number, withValues: boolean): Layers {
  const header = reader.view(DATA_HEADER_BYTES, 'data header')
  const [transposed, numLayers] = [header.getUint32(0, true), header.getUint32(4, true)]
  if (transposed > 1) throw new Refused('malformed', `transposition flag ${transposed}, expected 0 or 1`)
  if (transposed === 1) throw new Refused('v-transposed', 'values are stored by channel: turn flash attention on')
  if (numLayers === 0) throw new Refused('malformed', 'no layers')
  const keys = parseRows(reader, numLayers, cells, 'key')
  const values = withValues ? parseRows(reader, numLayers, cells, 'value') : undefined
  return { key: keys.format, value: values?.format, keysAt: keys.at, valuesAt: values?.at ?? new Float64Array(0) }
}

function parseRows(
  reader: Reader,
  numLayers: number,
  cells: number,
  what: string,
): { readonly format: RowFormat; readonly at: Float64Array } {
  if (numLayers > Math.floor(reader.remaining / (LAYER_HEADER_BYTES + cells)))
    throw new Refused('truncated', `${what} rows of ${numLayers} layers announced, ${reader.remaining} bytes left`)
  const at = new Float64Array(numLayers)
  let format: RowFormat | undefined
  for (let layer = 0; layer < numLayers; layer++) {
    const found = parseRowFormat(reader.view(LAYER_HEADER_BYTES, `${what} header`), what)
    format ??= found
    if (found.type !== format.type || found.rowBytes !== format.rowBytes)
      throw new Refused('unequal-layers', `${what}s of layer ${layer}: ${show(found)}, of layer 0: ${show(format)}`)
    at[layer] = reader.skip(cells, format.rowBytes, `${what} rows`)
  }
  return { format: format!, at }
}

function parseRowFormat(header: DataView, what: string): RowFormat {
  const type = ggmlType(header.getInt32(0, true))
  const rowBytes = header.getUint32(4, true)
  if (!type) throw new Refused('unknown-type', `${what} type ${header.getInt32(0, true)}`)
  if (header.getUint32(8, true) !== 0) throw new Refused('malformed', `${what} rows of 4 GiB or more`)
  if (rowBytes === 0 || rowBytes % type.blockBytes !== 0)
    throw new Refused('unknown-type', `${what} rows of ${rowBytes} bytes are no whole ${type.name} blocks`)
  return { type, rowBytes }
}

function show({ type, rowBytes }: RowFormat): string {
  return `${type.name} rows of ${rowBytes} bytes`
}

function readTokens(reader: Reader, at: number, count: number): Uint32Array {
  const view = reader.viewAt(at, count * 4, 'tokens')
  const tokens = new Uint32Array(count)
  for (let index = 0; index < count; index++) tokens[index] = view.getUint32(index * 4, true)
  return tokens
}

const NOWHERE = 0xffff_ffff

/** The cell of each position. Cells may be stored in any order; their positions must be 0 … cells − 1, each once. */
function readCells(reader: Reader, at: number, cells: number): Uint32Array {
  const cellOf = new Uint32Array(cells).fill(NOWHERE)
  for (let first = 0; first < cells; first += CELLS_PER_READ) {
    const count = Math.min(CELLS_PER_READ, cells - first)
    const view = reader.viewAt(at + first * CELL_BYTES, count * CELL_BYTES, 'cells')
    for (let index = 0; index < count; index++) placeCell(cellOf, view, index, first + index)
  }
  return cellOf
}

function placeCell(cellOf: Uint32Array, view: DataView, index: number, cell: number): void {
  const position = view.getInt32(index * CELL_BYTES, true)
  const sequences = view.getUint32(index * CELL_BYTES + 4, true)
  if (sequences !== 1) throw new Refused('malformed', `cell ${cell} belongs to ${sequences} sequences, expected 1`)
  if (position < 0 || position >= cellOf.length)
    throw new Refused('holes', `cell ${cell} holds position ${position} among ${cellOf.length} cells`)
  if (cellOf[position] !== NOWHERE) throw new Refused('duplicate-positions', `position ${position} is in two cells`)
  cellOf[position] = cell
}

function spansOf(cellOf: Uint32Array): Uint32Array {
  const starts: number[] = []
  for (let position = 0; position < cellOf.length; position++)
    if (position === 0 || cellOf[position] !== cellOf[position - 1]! + 1) starts.push(position)
  const spans = new Uint32Array(starts.length * 3)
  for (const [index, start] of starts.entries())
    spans.set([start, cellOf[start]!, (starts[index + 1] ?? cellOf.length) - start], index * 3)
  return spans
}
