import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TransferJob } from '@kvbm/core'
import type { Binding, FileRegion, OpenFileOptions } from '../binding.js'

type Row = readonly number[]

let nextPath = 0
let nextTicket = 1

/** What one case examines, and all that it made; disposing ends it. */
export class ConformanceWorld {
  readonly binding: Binding
  readonly #directory: string
  readonly #regions: number[] = []
  readonly #engines: number[] = []
  #engine: number | undefined

  constructor(binding: Binding, directory: string) {
    this.binding = binding
    this.#directory = directory
  }

  /** A path where nothing is yet. */
  path(): string {
    return join(this.#directory, `case-${process.pid}-${nextPath++}`)
  }

  memory(sizeBytes: number): number {
    return this.#keep(this.binding.createMemory(sizeBytes).id)
  }

  adopt(bytes: Uint8Array): number {
    return this.#keep(this.binding.adoptMemory(bytes).id)
  }

  /** A new file with these bytes. */
  async file(bytes: Uint8Array = new Uint8Array(0), options: Partial<OpenFileOptions> = {}): Promise<number> {
    const { id } = await this.open({ create: true, ...options })
    if (bytes.length > 0) await this.binding.writeFile(id, 0, bytes)
    return id
  }

  async open(options: Partial<OpenFileOptions>): Promise<FileRegion> {
    const region = await this.binding.openFile({
      path: this.path(),
      write: true,
      create: false,
      direct: false,
      ...options,
    })
    this.#keep(region.id)
    return region
  }

  engine(threads: number): number {
    const engine = this.binding.createEngine({ threads })
    this.#engines.push(engine)
    return engine
  }

  /** Runs one job on an engine of two threads. */
  submit(runs: readonly Row[], sums?: TransferJob['sums']): Promise<void> {
    this.#engine ??= this.engine(2)
    return this.binding.submit(this.#engine, nextTicket++, jobOf(runs, sums))
  }

  /** Bytes of memory or of a file, copied out by a job. */
  async read(region: number, offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    await this.submit([[region, offset, this.adopt(bytes), 0, length]])
    return bytes
  }

  /** Puts bytes into memory or a file by a job. */
  async write(region: number, offset: number, bytes: Uint8Array): Promise<void> {
    await this.submit([[this.adopt(bytes), 0, region, offset, bytes.length]])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const engine of this.#engines) await this.binding.closeEngine(engine)
    for (const region of this.#regions) this.binding.closeRegion(region)
  }

  #keep(region: number): number {
    this.#regions.push(region)
    return region
  }
}

export function jobOf(runs: readonly Row[], sums?: TransferJob['sums']): TransferJob {
  const rows = Float64Array.from(runs.flat())
  return sums === undefined ? { runs: rows } : { runs: rows, sums }
}

/** Recognisable bytes without a short period; another seed, other bytes. */
export function pattern(lengthBytes: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(lengthBytes)
  let state = (seed * 2654435761) >>> 0
  for (let at = 0; at < lengthBytes; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[at] = state >>> 24
  }
  return bytes
}

/** Like `deepEqual` of arrays, but quick for megabytes, and it says where they differ. */
export function assertSameBytes(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(actual.length, expected.length, 'number of bytes')
  if (Buffer.compare(actual, expected) === 0) return
  const at = actual.findIndex((byte, index) => byte !== expected[index])
  assert.fail(`byte ${at} of ${actual.length} is ${actual[at]}, expected ${expected[at]}`)
}

/** Rejects as an error of class `RangeError`, and as a promise: nothing may throw by itself that returns one. */
export async function assertRangeError(start: () => Promise<unknown>): Promise<void> {
  const promise = start()
  await assert.rejects(promise, RangeError)
}

export function assertThrowsRangeError(act: () => unknown): void {
  assert.throws(act, RangeError)
}

/** For `assert.rejects` and `assert.throws`. */
export function hasCode(code: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof Error)
    assert.equal((error as { code?: unknown }).code, code, error.message)
    return true
  }
}
