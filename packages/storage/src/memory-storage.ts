import { ClosedError, positiveInteger, type Storage, type StorageDescription, type StorageKind } from '@kvbm/core'
import { type Binding, WINDOW_STRIDE_BYTES } from '@kvbm/native'
import { checkRange } from './byte-range.js'
import { type CommitProgress, MemoryCommit } from './memory-commit.js'

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

/** A range of anonymous memory: usable from the beginning, made real in the background when it is committed. */
export class MemoryStorage implements Storage {
  readonly kind: StorageKind
  readonly sizeBytes: number
  readonly regionId: number
  readonly #options: MemoryStorageOptions
  readonly #windows: ArrayBuffer[] = []
  readonly #commit: MemoryCommit
  #closing: Promise<void> | undefined

  constructor(options: MemoryStorageOptions) {
    const { binding, kind, lock } = options
    this.kind = kind
    this.sizeBytes = positiveInteger('sizeBytes', options.sizeBytes)
    this.#options = options
    this.regionId = binding.createMemory(this.sizeBytes).id
    this.#commit = new MemoryCommit({ binding, region: this.regionId, sizeBytes: this.sizeBytes, lock })
  }

  alignmentOffset(alignment: number): number {
    this.#checkOpen()
    return this.#options.binding.alignmentOffset(this.regionId, positiveInteger('alignment', alignment))
  }

  commit(): void {
    this.#checkOpen()
    this.#commit.begin()
  }

  /** Resolves when all of it is real. Rejects as the binding does; called again, it goes on where it stopped. */
  async committed(): Promise<void> {
    this.#checkOpen()
    await this.#commit.finished()
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
    const { note, ...progress } = this.#commit.progress
    return {
      kind,
      sizeBytes,
      facts: { label, ...factsOf(progress), ...facts },
      notes: note === '' ? notes : [...notes, note],
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** The region's number is gone at once; its memory when no step of a commit touches it any more. */
  async #close(): Promise<void> {
    this.#windows.length = 0
    this.#options.binding.closeRegion(this.regionId)
    await this.#commit.stop()
  }

  #window(index: number): ArrayBuffer {
    this.#windows[index] ??= this.#options.binding.windowOf(this.regionId, index)
    return this.#windows[index]
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new ClosedError(`${this.kind} storage '${this.#options.label}'`)
  }
}

function factsOf({ hugePages, hugeBytes, ...rest }: Omit<CommitProgress, 'note'>): StorageDescription['facts'] {
  const given = hugeBytes === undefined ? {} : { hugeBytes }
  return { ...rest, hugePages: hugePages ? 'advised' : 'no', ...given }
}

/** Makes a memory storage; leaves nothing behind when that fails. Only memory that is to be locked is waited for. */
export async function allocateMemory(options: MemoryStorageOptions, lazy = false): Promise<MemoryStorage> {
  const storage = new MemoryStorage(options)
  if (lazy) return storage
  if (!options.lock) {
    storage.commit()
    return storage
  }
  try {
    await storage.committed()
    return storage
  } catch (error) {
    await storage.close()
    throw error
  }
}
