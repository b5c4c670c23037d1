import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { DisposeStack, type TransferJob } from '@kvbm/core'
import type { Binding, DiskPace } from '@kvbm/native'
import { bestPace, type PaceTrial } from './disk-pace.js'

export interface CalibrationOptions {
  readonly binding: Binding
  /** Where the slots lie: a file is made there and removed. */
  readonly directory: string
  readonly slotBytes: number
  /** Milliseconds of a clock that only goes forward. */
  readonly now?: () => number
}

const DEPTHS = [4, 8, 16]
const REQUEST_BYTES = [128 * 1024, 2 ** 20]
const FILE_BYTES = 32 * 2 ** 20
/** As much: into memory that the processor's caches hold, bytes come at another speed than into a tier's. */
const MEMORY_BYTES = FILE_BYTES
/** No further trial begins after so long. A disk that is slow now may be busy: what it does then says little. */
const BUDGET_MS = 200
const ROUNDS = 2

/**
 * Reads a file of 32 MiB block by block in random order, at each pace in turn, and tells which was best; undefined where the disk
 * was too slow to try each of them within 200 ms. Reads, because somebody waits for them. Rejects where the file cannot be made or
 * bypasses nothing: the page cache has no pace.
 */
export async function calibrateDisk(options: CalibrationOptions): Promise<DiskPace | undefined> {
  const { binding, directory, slotBytes, now = () => performance.now() } = options
  const owned = new DisposeStack()
  try {
    const end = now() + BUDGET_MS
    const trial = await Trial.prepare(binding, join(directory, 'calibration.tmp'), slotBytes, owned)
    const trials: PaceTrial[] = []
    for (let round = 0; round < ROUNDS; round++) {
      for (const pace of pacesFor(slotBytes)) {
        if (now() >= end) return round === 0 ? undefined : bestPace(trials)
        const begun = now()
        await trial.run(pace)
        trials.push({ pace, rate: FILE_BYTES / Math.max(now() - begun, 0.001) })
      }
    }
    return bestPace(trials)
  } finally {
    await owned.close()
  }
}

/** Requests longer than a block do not exist. */
export function pacesFor(slotBytes: number): DiskPace[] {
  const lengths = REQUEST_BYTES.filter((bytes, index) => index === REQUEST_BYTES.length - 1 || bytes < slotBytes)
  return lengths.flatMap((requestBytes) => DEPTHS.map((depth) => ({ depth, requestBytes })))
}

/** A file full of bytes, memory, and an engine of its own. */
class Trial {
  readonly #binding: Binding
  readonly #engine: number
  readonly #reads: TransferJob
  #ticket = 0

  private constructor(binding: Binding, engine: number, reads: TransferJob) {
    this.#binding = binding
    this.#engine = engine
    this.#reads = reads
  }

  static async prepare(binding: Binding, path: string, slotBytes: number, owned: DisposeStack): Promise<Trial> {
    await unlink(path).catch(() => undefined)
    const file = await binding.openFile({ path, write: true, create: true, exclusive: true, direct: true })
    owned.defer(() => unlink(path).catch(() => undefined))
    owned.defer(() => binding.closeRegion(file.id))
    if (!file.direct) throw new RangeError(`${path}: ${file.note}`)
    const memory = binding.createMemory(MEMORY_BYTES)
    owned.defer(() => binding.closeRegion(memory.id))
    await binding.commitMemory(memory.id, 0, MEMORY_BYTES, false)
    const engine = binding.createEngine({ threads: 1, diskThreads: Math.max(...DEPTHS) })
    owned.defer(() => binding.closeEngine(engine))
    await binding.reserveFile(file.id, 0, FILE_BYTES)
    const trial = new Trial(binding, engine, readsOf(file.id, memory.id, slotBytes))
    await binding.submit(engine, 0, { runs: writesOf(file.id, memory.id) })
    return trial
  }

  run(pace: DiskPace): Promise<void> {
    this.#binding.tuneEngine(this.#engine, pace)
    return this.#binding.submit(this.#engine, ++this.#ticket, this.#reads)
  }
}

function writesOf(file: number, memory: number): Float64Array {
  const rows = FILE_BYTES / MEMORY_BYTES
  return Float64Array.from(
    Array.from({ length: rows }, (_, row) => [memory, 0, file, row * MEMORY_BYTES, MEMORY_BYTES]).flat(),
  )
}

/** Every block once, far from the one before, each into another part of memory and summed there, as when it is onboarded. */
function readsOf(file: number, memory: number, slotBytes: number): TransferJob {
  const bytes = Math.min(slotBytes, MEMORY_BYTES)
  const blocks = Math.floor(FILE_BYTES / bytes)
  const places = Math.floor(MEMORY_BYTES / bytes)
  const order = Array.from({ length: blocks }, (_, block) => block).sort((a, b) => scatter(a) - scatter(b))
  const place = (index: number): number => (index % places) * bytes
  const runs = order.flatMap((block, index) => [file, block * bytes, memory, place(index), bytes])
  const pieces = order.flatMap((_, index) => [index, memory, place(index), bytes])
  const sums = { pieces: Float64Array.from(pieces), into: new Uint32Array(blocks), when: 'after' } as const
  return { runs: Float64Array.from(runs), sums }
}

function scatter(block: number): number {
  return ((block + 1) * 48_271) % 65_537
}
