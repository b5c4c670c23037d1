import { invalidArgument, type TransferJob } from '@kvbm/core'
import type { PortableFile } from './file.js'
import type { PortableMemory } from './memory.js'

export interface PortableRegion {
  readonly memory?: PortableMemory
  readonly file?: PortableFile
}

interface Entry extends PortableRegion {
  users: number
  closed: boolean
}

let nextId = 1

/** Memory and files by number. A region that a job uses is freed when the last job ended. */
export class PortableRegions {
  readonly #entries = new Map<number, Entry>()

  add(region: PortableRegion): number {
    const id = nextId++
    this.#entries.set(id, { ...region, users: 0, closed: false })
    return id
  }

  memory(id: number): PortableMemory {
    const { memory } = this.#open(id)
    if (memory === undefined) throw invalidArgument('region', 'a memory region', id)
    return memory
  }

  file(id: number): PortableFile {
    const { file } = this.#open(id)
    if (file === undefined) throw invalidArgument('region', 'a file region', id)
    return file
  }

  close(id: number): void {
    const entry = this.#entries.get(id)
    if (entry === undefined || entry.closed) return
    entry.closed = true
    if (entry.users === 0) this.#free(id, entry)
  }

  /** Checks every row before anything is touched, and holds the regions until `release`. Throws `RangeError`. */
  check({ runs, sums }: TransferJob): { regions: (id: number) => PortableRegion; release: () => void } {
    if (runs.length % 5 !== 0) throw invalidArgument('runs.length', 'a multiple of 5', runs.length)
    const used = new Map<number, Entry>()
    for (let row = 0; row < runs.length; row += 5) this.#checkRun(runs.subarray(row, row + 5), used)
    for (let row = 0; row < (sums?.pieces.length ?? 0); row += 4) this.#checkPiece(sums!.pieces.subarray(row, row + 4), sums!.into.length, used)
    for (const entry of used.values()) entry.users++
    return { regions: (id) => used.get(id)!, release: () => this.#release(used) }
  }

  #checkRun(run: Float64Array, used: Map<number, Entry>): void {
    const [source, sourceOffset, target, targetOffset, length] = run as unknown as [number, number, number, number, number]
    const [from, to] = [this.#use(source, used), this.#use(target, used)]
    if (from.memory === undefined && to.memory === undefined) throw new RangeError(`runs: a copy from file to file (regions ${source} and ${target}) is not possible; go through memory`)
    this.#checkRange(from, source, sourceOffset, length)
    this.#checkRange(to, target, targetOffset, length)
  }

  #checkPiece(piece: Float64Array, blocks: number, used: Map<number, Entry>): void {
    const [block, region, offset, length] = piece as unknown as [number, number, number, number]
    if (!(Number.isInteger(block) && block >= 0 && block < blocks)) throw invalidArgument('sums.pieces', `a block index of 0 to ${blocks - 1}`, block)
    const entry = this.#use(region, used)
    if (entry.memory === undefined) throw new RangeError(`sums.pieces: region ${region} is a file; only memory can be summed`)
    this.#checkRange(entry, region, offset, length)
  }

  #checkRange(entry: PortableRegion, id: number, offset: number, length: number): void {
    const size = entry.memory?.sizeBytes ?? Number.MAX_SAFE_INTEGER
    if (Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0 && offset + length <= size) return
    throw new RangeError(`runs: ${length} bytes at ${offset} lie outside of region ${id} (${size} bytes)`)
  }

  #use(id: number, used: Map<number, Entry>): Entry {
    const entry = used.get(id) ?? this.#open(id)
    used.set(id, entry)
    return entry
  }

  #open(id: number): Entry {
    const entry = this.#entries.get(id)
    if (entry === undefined || entry.closed) throw invalidArgument('region', 'the number of an open region', id)
    return entry
  }

  #release(used: ReadonlyMap<number, Entry>): void {
    for (const [id, entry] of used) {
      entry.users--
      if (entry.closed && entry.users === 0) this.#free(id, entry)
    }
  }

  #free(id: number, entry: Entry): void {
    this.#entries.delete(id)
    entry.memory?.detach()
    void entry.file?.close()
  }
}
