import { invalidArgument, type TransposedTable } from '@kvbm/core'
import { numberArgument } from '../arguments.js'
import { bytesApart, type PortableMemory } from './memory.js'
import type { PortableRegion } from './regions.js'

export const RUN_FIELDS = 5
export const PIECE_FIELDS = 4

type Use = (id: number) => PortableRegion

/** Checks rows of source region, offset, target region, offset, length. Throws `RangeError`. */
export function checkRuns(runs: Float64Array, use: Use): void {
  checkShape('runs', runs, RUN_FIELDS)
  for (let row = 0; row < runs.length; row += RUN_FIELDS) {
    const source = use(runs[row]!)
    const target = use(runs[row + 2]!)
    if (source.file !== undefined && target.file !== undefined) throw betweenFiles(source, target)
    checkRange('runs', source, runs[row + 1]!, runs[row + 4]!)
    checkRange('runs', target, runs[row + 3]!, runs[row + 4]!)
  }
}

/** Checks that checked runs are tables of memory that can be transposed. Throws `RangeError`. */
export function checkTables(runs: Float64Array, use: Use, table: TransposedTable): void {
  const tableBytes = bytesOf(table)
  for (let row = 0; row < runs.length; row += RUN_FIELDS) {
    const [source, target] = [use(runs[row]!), use(runs[row + 2]!)]
    const [from, to, length] = [runs[row + 1]!, runs[row + 3]!, runs[row + 4]!]
    if (length !== tableBytes)
      throw invalidArgument('runs', `${tableBytes} bytes, the table that job.transpose gives`, length)
    const [read, written] = [memoryOf(source), memoryOf(target)]
    if (Math.abs(bytesApart(read, from, written, to)) >= length) continue
    const ends = `at offset ${from} of region ${source.id} and at offset ${to} of region ${target.id}`
    throw new RangeError(`runs: ${length} bytes ${ends} overlap. Transpose into memory that the run does not read.`)
  }
}

function bytesOf({ rows, columns, cellBytes }: TransposedTable): number {
  const bytes = rows * columns * cellBytes
  if (Number.isSafeInteger(bytes)) return bytes
  throw invalidArgument('transpose', 'a table of at most 2^53 - 1 bytes', `${rows} × ${columns} × ${cellBytes}`)
}

function memoryOf({ id, memory }: PortableRegion): PortableMemory {
  if (memory !== undefined) return memory
  throw new RangeError(`runs: ${id} is a file. Transpose from memory to memory, in another job.`)
}

/** Checks rows of block, region, offset, length. Throws `RangeError`. */
export function checkPieces(pieces: Float64Array, blocks: number, use: Use): void {
  checkShape('sums.pieces', pieces, PIECE_FIELDS)
  for (let row = 0; row < pieces.length; row += PIECE_FIELDS) {
    const block = pieces[row]!
    if (!(Number.isInteger(block) && block >= 0 && block < blocks)) {
      throw invalidArgument('sums.pieces', `a block index below ${blocks}, the length of sums.into`, block)
    }
    const region = use(pieces[row + 1]!)
    if (region.file !== undefined) throw invalidArgument('sums.pieces', 'regions of memory, not files', region.id)
    checkRange('sums.pieces', region, pieces[row + 2]!, pieces[row + 3]!)
  }
}

/** Throws `RangeError` unless `length` bytes at `offset` lie in the region. A file is as long as it needs to be. */
export function checkRange(name: string, region: PortableRegion, offset: number, length: number): void {
  const size = region.memory?.sizeBytes ?? Number.MAX_SAFE_INTEGER
  numberArgument('offset', offset)
  numberArgument('length', length)
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length)
  if (whole && offset >= 0 && length >= 0 && offset + length <= size) return
  throw new RangeError(`${name}: ${length} bytes at offset ${offset} are outside of region ${region.id}, ${size} bytes`)
}

/** Sum of the last field of all rows: bytes moved, or bytes summed. */
export function totalBytes(rows: Float64Array, fields: number): number {
  let bytes = 0
  for (let at = fields - 1; at < rows.length; at += fields) bytes += rows[at]!
  return bytes
}

function checkShape(name: string, rows: Float64Array, fields: number): void {
  if (rows.length % fields !== 0) throw invalidArgument(`${name}.length`, `a multiple of ${fields}`, rows.length)
}

function betweenFiles(source: PortableRegion, target: PortableRegion): RangeError {
  return new RangeError(`runs: ${source.id} and ${target.id} are both files. Copy through memory, in two jobs.`)
}
