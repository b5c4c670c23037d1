import { invalidArgument, KvbmError, positiveInteger, type Storage, StorageFullError } from '@kvbm/core'
import {
  type MappedScratch,
  type NativeTransferRuntime,
  openMappedScratch,
  openScratchFile,
  type ScratchFile,
  SystemAllocator,
} from '@kvbm/storage'
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

/** Areas of one size are lent again for a request of at least this part of them: a small one must not hold a large one. */
const FIT = 0.25
/** Sizes of mapped areas have so many steps between powers of two, so that a prompt that grows finds one. */
const STEPS_PER_DOUBLING = 8
/** The most that is prepared before anybody asks. */
const PREPARED_BYTES_MAX = 64 * 2 ** 20
/** What an engine writes around the rows of blocks. */
const FRAME_PART = 1 / 16

/**
 * Lends memory and files through which KV passes between blocks and an engine. Bounded; callers wait in turn. Pages of an earlier
 * area are used again, because fresh ones cost more than the copy.
 */
export class ScratchPool {
  /** A file of exactly the size, which the engine may cut and write, or memory. */
  readonly lend: LendHandOver
  /** A file of at least the size, which the engine only reads: mapped where that can be had. */
  readonly lendToRead: LendHandOver
  readonly #runtime: NativeTransferRuntime
  readonly #lentBytesMax: number
  readonly #areasMax: number
  readonly #idleBytesMax: number
  readonly #idleFiles: ScratchFile[] = []
  readonly #idleMemory: Storage[] = []
  readonly #idleMapped: MappedScratch[] = []
  readonly #waiting: Waiter[] = []
  readonly #discarded = new WeakSet<Storage>()
  #lent = 0
  #lentBytes = 0
  #preparing: Promise<void> | undefined
  #closed = false

  constructor({ runtime, lentBytesMax = 2 * 2 ** 30, areasMax = 4, idleBytesMax = 256 * 2 ** 20 }: ScratchPoolOptions) {
    this.#runtime = runtime
    this.#lentBytesMax = positiveInteger('lentBytesMax', lentBytesMax)
    this.#areasMax = positiveInteger('areasMax', areasMax)
    this.#idleBytesMax = idleBytesMax
    this.lend = (request, use) =>
      this.#lend(request, () =>
        request.file ? this.#lendFile(request.sizeBytes, use) : this.#lendMemory(request.sizeBytes, use),
      )
    this.lendToRead = (request, use) =>
      request.file ? this.#lend(request, () => this.#lendMapped(request.sizeBytes, use)) : this.lend(request, use)
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

  /** Makes ready, in the background, what the first restore of blocks of so many bytes will ask for. Never more than a bound. */
  prepare(blockBytes: number): void {
    const sizeBytes = sizeClass(Math.min(blockBytes * (1 + FRAME_PART), PREPARED_BYTES_MAX, this.#idleBytesMax))
    const isThere = this.#idleMapped.some((area) => area.sizeBytes >= sizeBytes)
    if (blockBytes <= 0 || isThere || this.#lent > 0 || this.#preparing !== undefined || this.#closed) return
    this.#preparing = this.#prepare(sizeBytes).finally(() => {
      this.#preparing = undefined
    })
  }

  /** Frees what is idle; what is lent is freed when it comes back. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#preparing
    const idle = [...this.#idleFiles.splice(0), ...this.#idleMemory.splice(0), ...this.#idleMapped.splice(0)]
    for (const area of idle) await area.close()
  }

  get #idleBytes(): number {
    const idle = [...this.#idleFiles, ...this.#idleMemory, ...this.#idleMapped]
    return idle.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  }

  async #lend<T>({ sizeBytes, file, signal }: Parameters<LendHandOver>[0], lend: () => Promise<T>): Promise<T> {
    positiveInteger('sizeBytes', sizeBytes)
    if (typeof file !== 'boolean') throw invalidArgument('file', 'true or false', file)
    if (sizeBytes > this.#lentBytesMax) throw tooLarge(sizeBytes, this.#lentBytesMax)
    await this.#admitted(sizeBytes, signal)
    try {
      return await lend()
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

  async #lendMapped<T>(sizeBytes: number, use: (handOver: HandOver) => Promise<T>): Promise<T> {
    const storage = await this.#mappedOf(sizeBytes)
    if (storage === undefined) return this.#lendFile(sizeBytes, use)
    return this.#use({ storage, path: storage.path }, use, () => this.#keep(storage, this.#idleMapped))
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

  async #mappedOf(sizeBytes: number): Promise<MappedScratch | undefined> {
    await this.#preparing
    const idle = takeFitting(this.#idleMapped, sizeBytes)
    return idle ?? openMappedScratch({ runtime: this.#runtime, sizeBytes: sizeClass(sizeBytes) })
  }

  async #memoryOf(sizeBytes: number): Promise<Storage> {
    const idle = takeFitting(this.#idleMemory, sizeBytes)
    if (idle !== undefined) return idle
    return new SystemAllocator({ runtime: this.#runtime }).allocate({ sizeBytes, lazy: true, label: 'hand-over' })
  }

  /** Whoever needs it and finds none hears what was wrong. */
  async #prepare(sizeBytes: number): Promise<void> {
    const area = await openMappedScratch({ runtime: this.#runtime, sizeBytes }).catch(() => undefined)
    if (area !== undefined) await this.#keep(area, this.#idleMapped)
  }

  async #keep<T extends Storage>(area: T, idle: T[]): Promise<void> {
    const useless = this.#closed || this.#discarded.has(area)
    if (useless || area.sizeBytes > this.#idleBytesMax) return area.close()
    idle.push(area)
    await this.#makeRoomFor(area)
  }

  /** What was lent longest ago goes first: sizes that nobody asks for any more must not keep out those that are. */
  async #makeRoomFor(area: Storage): Promise<void> {
    for (const idle of [this.#idleMapped, this.#idleMemory, this.#idleFiles] as Storage[][])
      while (this.#idleBytes > this.#idleBytesMax && idle[0] !== undefined && idle[0] !== area)
        await idle.shift()!.close()
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

function takeFitting<T extends Storage>(areas: T[], sizeBytes: number): T | undefined {
  const at = areas.findIndex((area) => area.sizeBytes >= sizeBytes && sizeBytes >= area.sizeBytes * FIT)
  return at < 0 ? undefined : areas.splice(at, 1)[0]
}

function sizeClass(sizeBytes: number): number {
  const step = Math.max(4096, 2 ** Math.floor(Math.log2(sizeBytes)) / STEPS_PER_DOUBLING)
  return Math.ceil(sizeBytes / step) * step
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
