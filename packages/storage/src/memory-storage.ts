import { ClosedError, positiveInteger, type Storage, type StorageDescription, type StorageKind } from '@kvbm/core'
import { type Binding, type CommitResult, WINDOW_STRIDE_BYTES } from '@kvbm/native'
import { checkRange } from './byte-range.js'

/** How much memory one synchronous step of an asynchronous commit makes real: some tens of milliseconds. */
const COMMIT_STEP_BYTES = 256 * 2 ** 20
const LOCK_RANK: Readonly<Record<CommitResult['locked'], number>> = { no: 0, touched: 1, os: 2, cuda: 3 }

export interface MemoryStorageOptions {
  readonly binding: Binding
  readonly kind: StorageKind
  readonly sizeBytes: number
  readonly label: string
  /** Lock the pages when they are made real, so that neither swap nor a copy engine loses them. */
  readonly lock: boolean
  readonly facts?: StorageDescription['facts']
  readonly notes?: readonly string[]
}

/**
 * A range of anonymous memory. Invariant: bytes below `#committedBytes` are real, so commits may come in steps and an
 * interrupted one continues where it stopped.
 */
export class MemoryStorage implements Storage {
  readonly kind: StorageKind
  readonly sizeBytes: number
  readonly regionId: number
  readonly #options: MemoryStorageOptions
  readonly #windows: ArrayBuffer[] = []
  #committedBytes = 0
  #commit: CommitResult | undefined
  #closed = false

  constructor(options: MemoryStorageOptions) {
    this.kind = options.kind
    this.sizeBytes = positiveInteger('sizeBytes', options.sizeBytes)
    this.#options = options
    this.regionId = options.binding.createMemory(this.sizeBytes).id
  }

  alignmentOffset(alignment: number): number {
    this.#checkOpen()
    return this.#options.binding.alignmentOffset(this.regionId, positiveInteger('alignment', alignment))
  }

  commit(): void {
    this.#checkOpen()
    this.#commitUpTo(this.sizeBytes)
  }

  /** Like `commit`, but lets the event loop turn between steps, because locking a large region takes seconds. */
  async commitInSteps(): Promise<void> {
    while (this.#committedBytes < this.sizeBytes) {
      this.#checkOpen()
      this.#commitUpTo(Math.min(this.#committedBytes + COMMIT_STEP_BYTES, this.sizeBytes))
      if (this.#committedBytes < this.sizeBytes) await new Promise(setImmediate)
    }
  }

  /**
   * With the native core any run of up to 1 GiB lies in one window; its portable twin has windows that do not overlap, so
   * there a run across a multiple of 1 GiB is none.
   */
  bytes(offset: number, length: number): Uint8Array | undefined {
    this.#checkOpen()
    checkRange(offset, length, this.sizeBytes)
    if (length === 0) return new Uint8Array(0)
    const index = Math.floor(offset / WINDOW_STRIDE_BYTES)
    const begin = offset - index * WINDOW_STRIDE_BYTES
    const window = this.#window(index)
    return begin + length <= window.byteLength ? new Uint8Array(window, begin, length) : undefined
  }

  describe(): StorageDescription {
    const { kind, sizeBytes } = this
    const { label, facts, notes = [] } = this.#options
    const { locked, hugePages, note } = this.#commit ?? { locked: 'no', hugePages: false, note: '' }
    const committedBytes = this.#committedBytes
    return {
      kind,
      sizeBytes,
      facts: { label, locked, hugePages, committedBytes, ...facts },
      notes: note === '' ? notes : [...notes, note],
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#windows.length = 0
    this.#options.binding.closeRegion(this.regionId)
  }

  #window(index: number): ArrayBuffer {
    this.#windows[index] ??= this.#options.binding.windowOf(this.regionId, index)
    return this.#windows[index]
  }

  #commitUpTo(end: number): void {
    const begin = this.#committedBytes
    if (begin >= end) return
    const { binding, lock } = this.#options
    const result = binding.commitMemory(this.regionId, begin, end - begin, lock)
    this.#commit = weaker(this.#commit, result)
    this.#committedBytes = end
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError(`${this.kind} storage '${this.#options.label}'`)
  }
}

/** Steps may end differently (the lock limit is reached midway); the whole is only as good as its weakest step. */
function weaker(a: CommitResult | undefined, b: CommitResult): CommitResult {
  if (a === undefined) return b
  const { locked, note } = LOCK_RANK[a.locked] <= LOCK_RANK[b.locked] ? a : b
  return { locked, hugePages: a.hugePages && b.hugePages, note }
}

/** Makes a memory storage, real at once unless `lazy`; leaves nothing behind when that fails. */
export async function allocateMemory(options: MemoryStorageOptions, lazy = false): Promise<MemoryStorage> {
  const storage = new MemoryStorage(options)
  try {
    if (!lazy) await storage.commitInSteps()
  } catch (error) {
    await storage.close()
    throw error
  }
  return storage
}
