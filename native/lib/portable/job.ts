import type { TransferJob, TransposedTable } from '@kvbm/core'
import { jobArgument } from '../arguments.js'
import { checkPieces, checkRuns, checkTables, PIECE_FIELDS, RUN_FIELDS, totalBytes } from './check-job.js'
import { crc32c } from './crc32c.js'
import type { PortableMachine } from './machine.js'
import { bytesApart, type PortableMemory } from './memory.js'
import type { PortableRegion, PortableRegions } from './regions.js'
import { transposed } from './transposed.js'

/** Bytes copied or summed in one turn of the event loop; more would hold up the caller's other work. */
const TURN_BYTES = 4 * 2 ** 20

/** A transfer job whose rows were checked and copied: what the caller does to its arrays later cannot harm it. */
export class PortableJob {
  /** The regions in use, by number. */
  readonly regions = new Map<number, PortableRegion>()
  readonly #machine: PortableMachine
  readonly #runs: Float64Array
  readonly #pieces: Float64Array
  readonly #sums: TransferJob['sums']
  readonly #transpose: TransferJob['transpose']
  #sinceTurn = 0

  /** Throws `RangeError` or `TypeError` before anything is touched. */
  constructor(open: PortableRegions, job: TransferJob) {
    const { runs, sums, transpose } = jobArgument(job)
    this.#machine = open.machine
    this.#runs = runs.slice()
    this.#sums = sums
    this.#transpose = transpose
    this.#pieces = sums?.pieces.slice() ?? new Float64Array(0)
    const use = (id: number): PortableRegion => {
      const region = this.regions.get(id) ?? open.get(id)
      this.regions.set(id, region)
      return region
    }
    checkRuns(this.#runs, use)
    if (transpose !== undefined) checkTables(this.#runs, use, transpose)
    checkPieces(this.#pieces, sums?.into.length ?? 0, use)
  }

  /** Whether it needs no disk and is over before anybody notices. */
  get small(): boolean {
    for (const { file } of this.regions.values()) if (file !== undefined) return false
    return totalBytes(this.#runs, RUN_FIELDS) + totalBytes(this.#pieces, PIECE_FIELDS) <= this.#machine.inlineBytes
  }

  /** Does a small job in one go. */
  runNow(): void {
    for (const _step of this.#memorySteps());
  }

  async run(): Promise<void> {
    await this.#machine.turn()
    if (this.#sums?.when === 'before') await this.#inTurns(this.#sum())
    for (let row = 0; row < this.#runs.length; row += RUN_FIELDS) await this.#runRow(row)
    if (this.#sums?.when === 'after') await this.#inTurns(this.#sum())
  }

  *#memorySteps(): Generator<number, void, void> {
    if (this.#sums?.when === 'before') yield* this.#sum()
    for (let row = 0; row < this.#runs.length; row += RUN_FIELDS) yield* this.#move(row)
    if (this.#sums?.when === 'after') yield* this.#sum()
  }

  async #runRow(row: number): Promise<void> {
    const source = this.#region(row)
    const target = this.#region(row + 2)
    const [from, to, length] = this.#offsets(row)
    if (source.file !== undefined) await readInto(source.file, from, target.memory!, to, length)
    else if (target.file !== undefined) await writeFrom(source.memory!, from, target.file, to, length)
    else await this.#inTurns(this.#move(row))
  }

  /** Moves one row of memory; yields the bytes of each step. */
  #move(row: number): Generator<number, void, void> {
    return this.#transpose === undefined ? this.#copy(row) : this.#turn(row, this.#transpose)
  }

  *#copy(row: number): Generator<number, void, void> {
    const source = this.#region(row).memory!
    const target = this.#region(row + 2).memory!
    const [from, to, length] = this.#offsets(row)
    for (const { at, count } of inSafeOrder(source, from, target, to, length)) {
      target.bytes(to + at, count).set(source.bytes(from + at, count))
      yield count
    }
  }

  /** Through a table in one buffer: cells may lie across the ends of buffers. */
  *#turn(row: number, table: TransposedTable): Generator<number, void, void> {
    const source = this.#region(row).memory!
    const target = this.#region(row + 2).memory!
    const [from, to, length] = this.#offsets(row)
    const cells = new Uint8Array(length)
    for (const { at, count } of steps(length, (done) => source.contiguous(from + done)))
      cells.set(source.bytes(from + at, count), at)
    const turned = transposed(cells, table)
    for (const { at, count } of steps(length, (done) => target.contiguous(to + done))) {
      target.bytes(to + at, count).set(turned.subarray(at, at + count))
      yield count
    }
  }

  /** CRC32C per block over its pieces in order; yields the bytes of each step. */
  *#sum(): Generator<number, void, void> {
    const { into } = this.#sums!
    const begun = new Set<number>()
    for (let row = 0; row < this.#pieces.length; row += PIECE_FIELDS) {
      const [block, id, offset, length] = this.#pieces.subarray(row, row + PIECE_FIELDS) as unknown as Row4
      const memory = this.regions.get(id)!.memory!
      if (!begun.has(block)) into[block] = 0
      begun.add(block)
      for (const { at, count } of steps(length, (done) => memory.contiguous(offset + done))) {
        into[block] = crc32c(memory.bytes(offset + at, count), into[block])
        yield count
      }
    }
  }

  async #inTurns(work: Iterable<number>): Promise<void> {
    for (const bytes of work) {
      this.#sinceTurn += bytes
      if (this.#sinceTurn < TURN_BYTES) continue
      this.#sinceTurn = 0
      await this.#machine.turn()
    }
  }

  #region(at: number): PortableRegion {
    return this.regions.get(this.#runs[at]!)!
  }

  /** Source offset, target offset, length. */
  #offsets(row: number): [number, number, number] {
    return [this.#runs[row + 1]!, this.#runs[row + 3]!, this.#runs[row + 4]!]
  }
}

type Row4 = [number, number, number, number]
type File = NonNullable<PortableRegion['file']>

/** Part of a run that lies in one buffer and takes at most one turn. */
interface Step {
  readonly at: number
  readonly count: number
}

function* steps(length: number, contiguous: (at: number) => number): Generator<Step, void, void> {
  for (let at = 0; at < length; ) {
    // At least one byte: where a buffer was transferred away meanwhile, taking that byte says so.
    const count = Math.max(1, Math.min(TURN_BYTES, length - at, contiguous(at)))
    yield { at, count }
    at += count
  }
}

/** The steps of a copy; last first where the target begins inside the source, so that no step overwrites what a later one reads. */
function inSafeOrder(
  source: PortableMemory,
  from: number,
  target: PortableMemory,
  to: number,
  length: number,
): Iterable<Step> {
  const forward = steps(length, (at) => Math.min(source.contiguous(from + at), target.contiguous(to + at)))
  const apart = bytesApart(source, from, target, to)
  return apart > 0 && apart < length ? [...forward].reverse() : forward
}

async function readInto(file: File, from: number, memory: PortableMemory, to: number, length: number): Promise<void> {
  for (const { at, count } of steps(length, (done) => memory.contiguous(to + done))) {
    await file.readAll(memory.bytes(to + at, count), from + at)
  }
}

async function writeFrom(memory: PortableMemory, from: number, file: File, to: number, length: number): Promise<void> {
  for (const { at, count } of steps(length, (done) => memory.contiguous(from + done))) {
    await file.write(memory.bytes(from + at, count), to + at)
  }
}
