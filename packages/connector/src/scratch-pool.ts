import { invalidArgument, KvbmError, positiveInteger, type Storage, StorageFullError } from '@kvbm/core'
import { type NativeTransferRuntime, openScratchFile, type ScratchFile, SystemAllocator } from '@kvbm/storage'
import type { HandOver, LendHandOver } from './engine-driver.js'

export interface ScratchPoolOptions {
  readonly runtime: NativeTransferRuntime
  /** Bytes lent at once; a caller beyond waits, a single request beyond is refused. Default 2 GiB: 16 K tokens of an 8B model. */
  readonly lentBytesMax?: number
  /** Areas lent at once; further callers wait. Default 4. */
  readonly areasMax?: number
  /** Bytes kept for the next caller while nobody needs them. Default 256 MiB. */
  readonly idleBytesMax?: number
}

/** Memory and files that are on loan to engines now. */
export interface ScratchStatus {
  readonly lent: number
  readonly lentBytes: number
  readonly waiting: number
  readonly idleBytes: number
}

interface Waiter {
  readonly sizeBytes: number
  admit(): void
}

/** A memory area is lent again for a request of at least this part of it: a small one must not hold a large one. */
const MEMORY_FIT = 0.25

/**
 * Lends memory and files through which KV passes between blocks and an engine. Bounded; callers wait in turn. Pages of an earlier
 * area are used again, because fresh ones cost more than the copy.
 */
export class ScratchPool {
  readonly lend: LendHandOver
  readonly #runtime: NativeTransferRuntime
  readonly #lentBytesMax: number
  readonly #areasMax: number
  readonly #idleBytesMax: number
  readonly #idleFiles: ScratchFile[] = []
  readonly #idleMemory: Storage[] = []
  readonly #waiting: Waiter[] = []
  readonly #discarded = new WeakSet<Storage>()
  #lent = 0
  #lentBytes = 0
  #closed = false

  constructor({ runtime, lentBytesMax = 2 * 2 ** 30, areasMax = 4, idleBytesMax = 256 * 2 ** 20 }: ScratchPoolOptions) {
    this.#runtime = runtime
    this.#lentBytesMax = positiveInteger('lentBytesMax', lentBytesMax)
    this.#areasMax = positiveInteger('areasMax', areasMax)
    this.#idleBytesMax = idleBytesMax
    this.lend = (request, use) => this.#lend(request, use)
  }

  status(): ScratchStatus {
    return { lent: this.#lent, lentBytes: this.#lentBytes, waiting: this.#waiting.length, idleBytes: this.#idleBytes }
  }

  /**
   * This storage is not lent again: a copy that was given up on may still write to it. Its memory is freed when that copy ends. Done by
   * itself when its user fails.
   */
  discard(storage: Storage): void {
    this.#discarded.add(storage)
  }

  /** Frees what is idle; what is lent is freed when it comes back. */
  async close(): Promise<void> {
    this.#closed = true
    const idle = [...this.#idleFiles.splice(0), ...this.#idleMemory.splice(0)]
    for (const area of idle) await area.close()
  }

  get #idleBytes(): number {
    return [...this.#idleFiles, ...this.#idleMemory].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  }

  async #lend<T>(
    { sizeBytes, file, signal }: Parameters<LendHandOver>[0],
    use: (handOver: HandOver) => Promise<T>,
  ): Promise<T> {
    positiveInteger('sizeBytes', sizeBytes)
    if (typeof file !== 'boolean') throw invalidArgument('file', 'true or false', file)
    if (sizeBytes > this.#lentBytesMax) throw tooLarge(sizeBytes, this.#lentBytesMax)
    await this.#admitted(sizeBytes, signal)
    try {
      return file ? await this.#lendFile(sizeBytes, use) : await this.#lendMemory(sizeBytes, use)
    } finally {
      this.#lent--
      this.#lentBytes -= sizeBytes
      this.#admitNext()
    }
  }

  async #lendFile<T>(sizeBytes: number, use: (handOver: HandOver) => Promise<T>): Promise<T> {
    const storage = await this.#fileOf(sizeBytes)
    return this.#use({ storage, path: storage.path }, use, () => this.#keep(storage, this.#idleFiles))
  }

  async #lendMemory<T>(sizeBytes: number, use: (handOver: HandOver) => Promise<T>): Promise<T> {
    const storage = await this.#memoryOf(sizeBytes)
    return this.#use({ storage, path: undefined }, use, () => this.#keep(storage, this.#idleMemory))
  }

  async #use<T>(
    handOver: HandOver,
    use: (handOver: HandOver) => Promise<T>,
    giveBack: () => Promise<void>,
  ): Promise<T> {
    try {
      return await use(handOver)
    } catch (error) {
      this.discard(handOver.storage)
      throw error
    } finally {
      await giveBack()
    }
  }

  async #fileOf(sizeBytes: number): Promise<ScratchFile> {
    const idle = takeLargest(this.#idleFiles)
    if (idle === undefined) return openScratchFile({ runtime: this.#runtime, sizeBytes })
    try {
      await idle.resize(sizeBytes)
      return idle
    } catch (error) {
      await idle.close()
      // Its file system may be small; a new file looks for one with room.
      if (!KvbmError.is(error, 'KVBM_STORAGE_FULL')) throw error
      return openScratchFile({ runtime: this.#runtime, sizeBytes })
    }
  }

  async #memoryOf(sizeBytes: number): Promise<Storage> {
    const at = this.#idleMemory.findIndex((area) => fits(area.sizeBytes, sizeBytes))
    if (at >= 0) return this.#idleMemory.splice(at, 1)[0]!
    return new SystemAllocator({ runtime: this.#runtime }).allocate({ sizeBytes, lazy: true, label: 'hand-over' })
  }

  async #keep<T extends Storage>(area: T, idle: T[]): Promise<void> {
    const useless = this.#closed || this.#discarded.has(area)
    if (useless || this.#idleBytes + area.sizeBytes > this.#idleBytesMax) await area.close()
    else idle.push(area)
  }

  #fitsNow(sizeBytes: number): boolean {
    return this.#lent < this.#areasMax && this.#lentBytes + sizeBytes <= this.#lentBytesMax
  }

  #take(sizeBytes: number): void {
    this.#lent++
    this.#lentBytes += sizeBytes
  }

  async #admitted(sizeBytes: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    if (this.#waiting.length === 0 && this.#fitsNow(sizeBytes)) return this.#take(sizeBytes)
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        sizeBytes,
        admit: () => {
          signal?.removeEventListener('abort', giveUp)
          resolve()
        },
      }
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        reject(signal?.reason)
        this.#admitNext()
      }
      signal?.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(waiter)
    })
  }

  // First come, first served: a large request is not overtaken for ever by small ones.
  #admitNext(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#fitsNow(next.sizeBytes); next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#take(next.sizeBytes)
      next.admit()
    }
  }
}

function fits(areaBytes: number, sizeBytes: number): boolean {
  return areaBytes >= sizeBytes && sizeBytes >= areaBytes * MEMORY_FIT
}

function takeLargest(files: ScratchFile[]): ScratchFile | undefined {
  let at = 0
  for (let index = 1; index < files.length; index++) if (files[index]!.sizeBytes > files[at]!.sizeBytes) at = index
  return files.splice(at, 1)[0]
}

function tooLarge(sizeBytes: number, most: number): StorageFullError {
  return new StorageFullError(
    `A hand-over of ${sizeBytes} bytes is larger than the ${most} bytes allowed. Raise handOver, or use shorter prompts.`,
  )
}
