import { ClosedError, positiveInteger, type Storage, type StorageDescription } from '@kvbm/core'
import type { Binding, FileRegion } from '@kvbm/native'
import { checkRange } from './byte-range.js'

export interface FileStorageOptions {
  readonly binding: Binding
  readonly region: FileRegion
  readonly path: string
  readonly sizeBytes: number
  /** Asked each time, because a file grows. */
  readonly facts: () => StorageDescription['facts']
  readonly notes?: () => readonly string[]
  /** Why direct I/O was not even tried; empty when it was. */
  readonly directIoNote: string
  /** After the file is closed, for example to give a lock back. */
  readonly onClose?: () => void
}

/** A file as a storage: addressed by offset, never by the CPU. Grown by its owner. */
export class FileStorage implements Storage {
  readonly kind = 'disk'
  readonly sizeBytes: number
  readonly regionId: number
  readonly #options: FileStorageOptions
  #closed = false

  constructor(options: FileStorageOptions) {
    this.sizeBytes = options.sizeBytes
    this.regionId = options.region.id
    this.#options = options
  }

  /** Files are addressed by offset, and offset 0 is aligned to everything. */
  alignmentOffset(alignment: number): number {
    this.#checkOpen()
    positiveInteger('alignment', alignment)
    return 0
  }

  /** Nothing to do: the file system makes a lazy file real as it is written. */
  commit(): void {
    this.#checkOpen()
  }

  bytes(offset: number, length: number): undefined {
    this.#checkOpen()
    checkRange(offset, length, this.sizeBytes)
  }

  describe(): StorageDescription {
    const { path, region, directIoNote, facts, notes } = this.#options
    const why = directIoNote === '' ? region.note : directIoNote
    return {
      kind: this.kind,
      sizeBytes: this.sizeBytes,
      facts: { path, directIo: region.direct, ...facts() },
      notes: [...(region.direct || why === '' ? [] : [why]), ...(notes?.() ?? [])],
    }
  }

  /** Await transfers of the file first: they would fail, and its lock is given back here. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#options.binding.closeRegion(this.regionId)
    this.#options.onClose?.()
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError(`disk storage ${this.#options.path}`)
  }
}
