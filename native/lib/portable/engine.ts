import type { TransferJob } from '@kvbm/core'
import { crc32c } from './crc32c.js'
import type { PortableRegion, PortableRegions } from './regions.js'

const RUN_FIELDS = 5
const PIECE_FIELDS = 4

/** Bytes copied in one turn of the event loop; more would hold up the caller's other work. */
const TURN_BYTES = 4 * 2 ** 20

interface Waiting {
  readonly ticket: number
  readonly start: () => Promise<void>
  readonly reject: (error: Error) => void
}

/** Runs jobs one after another on the JavaScript thread; file I/O goes to libuv's threads. */
export class PortableEngine {
  readonly #regions: PortableRegions
  readonly #waiting: Waiting[] = []
  #running: Promise<void> | undefined
  #closed = false

  constructor(regions: PortableRegions) {
    this.#regions = regions
  }

  submit(ticket: number, job: TransferJob): Promise<void> {
    if (this.#closed) throw new RangeError('engine: it is closed')
    const checked = this.#regions.check(job)
    return new Promise((resolve, reject) => {
      const start = (): Promise<void> => runJob(job, checked.regions).finally(checked.release).then(resolve, reject)
      const cancelled = (error: Error): void => {
        checked.release()
        reject(error)
      }
      this.#waiting.push({ ticket, start, reject: cancelled })
      this.#pump()
    })
  }

  cancel(ticket: number): boolean {
    const index = this.#waiting.findIndex((job) => job.ticket === ticket)
    if (index < 0) return false
    const [job] = this.#waiting.splice(index, 1)
    job!.reject(Object.assign(new Error('The job was cancelled before it started.'), { code: 'KVBM_CANCELLED' }))
    return true
  }

  async close(): Promise<void> {
    this.#closed = true
    while (this.#running !== undefined) await this.#running
  }

  #pump(): void {
    if (this.#running !== undefined) return
    const next = this.#waiting.shift()
    if (next === undefined) return
    this.#running = next.start().finally(() => {
      this.#running = undefined
      this.#pump()
    })
  }
}

type RegionOf = (id: number) => PortableRegion

async function runJob({ runs, sums }: TransferJob, regionOf: RegionOf): Promise<void> {
  if (sums?.when === 'before') sumPieces(sums.pieces, sums.into, regionOf)
  let sinceTurn = 0
  for (let row = 0; row < runs.length; row += RUN_FIELDS) {
    const [source, sourceOffset, target, targetOffset, length] = runs.subarray(row, row + RUN_FIELDS) as unknown as [number, number, number, number, number]
    await moveRun(regionOf(source), sourceOffset, regionOf(target), targetOffset, length)
    sinceTurn += length
    if (sinceTurn < TURN_BYTES) continue
    sinceTurn = 0
    await new Promise(setImmediate)
  }
  if (sums?.when === 'after') sumPieces(sums.pieces, sums.into, regionOf)
}

async function moveRun(source: PortableRegion, sourceOffset: number, target: PortableRegion, targetOffset: number, length: number): Promise<void> {
  if (source.memory !== undefined && target.memory !== undefined) return copyMemory(source.memory, sourceOffset, target.memory, targetOffset, length)
  const memory = (source.memory ?? target.memory)!
  let file = source.memory === undefined ? sourceOffset : targetOffset
  for (const piece of memory.pieces(source.memory === undefined ? targetOffset : sourceOffset, length)) {
    if (source.file !== undefined) await source.file.readAll(piece, file)
    else await target.file!.write(piece, file)
    file += piece.length
  }
}

function copyMemory(source: NonNullable<PortableRegion['memory']>, sourceOffset: number, target: NonNullable<PortableRegion['memory']>, targetOffset: number, length: number): void {
  let at = targetOffset
  for (const piece of source.pieces(sourceOffset, length)) {
    let taken = 0
    for (const place of target.pieces(at, piece.length)) {
      place.set(piece.subarray(taken, taken + place.length))
      taken += place.length
    }
    at += piece.length
  }
}

/** CRC32C per block over its rows in order. */
function sumPieces(pieces: Float64Array, into: Uint32Array, regionOf: RegionOf): void {
  const begun = new Uint8Array(into.length)
  for (let row = 0; row < pieces.length; row += PIECE_FIELDS) {
    const block = pieces[row]!
    let crc = begun[block] === 1 ? into[block]! : 0
    for (const piece of regionOf(pieces[row + 1]!).memory!.pieces(pieces[row + 2]!, pieces[row + 3]!)) crc = crc32c(piece, crc)
    into[block] = crc
    begun[block] = 1
  }
}
