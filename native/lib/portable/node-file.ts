import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { StorageFullError, StorageIoError } from '@kvbm/core'
import type { OpenFileOptions } from '../binding.js'
import type { PortableFile } from './machine.js'

const ZERO_FILL_BYTES = 2 ** 20
/** Node.js aborts the process when it is asked for more than 2³¹ − 1 bytes at once. */
const TRANSFER_BYTES_MAX = 2 ** 30

/** What the operating system said, in our words. */
export function ioError(what: string, cause: unknown): StorageFullError | StorageIoError {
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new StorageFullError(`${what}: no space is left (${code}). Free space or lower numBlocks.`, { cause })
  }
  return new StorageIoError(`${what}: ${code ?? message}. Check the disk and the permissions.`, { cause })
}

/** A file of the operating system; everything goes through the page cache. */
export class NodeFile implements PortableFile {
  readonly path: string
  readonly #handle: FileHandle
  /** Reservations one after another: two at once would each write zeros where the other one's caller writes data already. */
  #reserving: Promise<unknown> = Promise.resolve()

  private constructor(path: string, handle: FileHandle) {
    this.path = path
    this.#handle = handle
  }

  static async open(options: OpenFileOptions): Promise<NodeFile> {
    try {
      const handle = await open(options.path, flagsOf(options), 0o600)
      await refuseWithoutOffsets(handle)
      return new NodeFile(options.path, handle)
    } catch (error) {
      throw ioError(`Opening ${options.path}`, error)
    }
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size
  }

  async read(target: Uint8Array, offset: number): Promise<number> {
    // Its length now: a buffer that is transferred away meanwhile must be an error, not an early end.
    const { length } = target
    let done = 0
    try {
      while (done < length) {
        const wanted = Math.min(length - done, TRANSFER_BYTES_MAX)
        const { bytesRead } = await this.#handle.read(target, done, wanted, offset + done)
        if (bytesRead === 0) return done
        done += bytesRead
      }
    } catch (error) {
      throw ioError(`Reading ${length} bytes at ${offset} of ${this.path}`, error)
    }
    return done
  }

  async readAll(target: Uint8Array, offset: number): Promise<void> {
    const { length } = target
    const done = await this.read(target, offset)
    if (done === length) return
    throw new StorageIoError(
      `Reading ${length} bytes at ${offset} of ${this.path}: the file ends after ${done} of them. It was cut or never written.`,
    )
  }

  async write(source: Uint8Array, offset: number): Promise<void> {
    const { length } = source
    let done = 0
    try {
      while (done < length) {
        const wanted = Math.min(length - done, TRANSFER_BYTES_MAX)
        const { bytesWritten } = await this.#handle.write(source, done, wanted, offset + done)
        done += bytesWritten
      }
    } catch (error) {
      throw ioError(`Writing ${length} bytes at ${offset} of ${this.path}`, error)
    }
  }

  /** Makes the range exist. Node cannot allocate, so bytes past the present end are written as zeros. */
  reserve(offset: number, length: number): Promise<'zero-filled' | 'sparse'> {
    const result = this.#reserving.then(() => this.#reserve(offset, offset + length))
    this.#reserving = result.catch(() => undefined)
    return result
  }

  async sync(): Promise<void> {
    await this.#handle.sync().catch((error: unknown) => {
      throw ioError(`Flushing ${this.path}`, error)
    })
  }

  async close(): Promise<void> {
    await this.#handle.close().catch(() => undefined)
  }

  /** What lies before the present end may be a hole: it keeps its bytes and is called sparse. */
  async #reserve(offset: number, end: number): Promise<'zero-filled' | 'sparse'> {
    const size = await this.size()
    const zeros = new Uint8Array(Math.min(ZERO_FILL_BYTES, end - offset))
    for (let at = Math.max(size, offset); at < end; at += zeros.length) {
      await this.write(zeros.subarray(0, Math.min(zeros.length, end - at)), at)
    }
    return size > offset ? 'sparse' : 'zero-filled'
  }
}

function flagsOf({ write, create, exclusive = false }: OpenFileOptions): number {
  return (
    (write ? constants.O_RDWR : constants.O_RDONLY) |
    (create ? constants.O_CREAT : 0) |
    (exclusive ? constants.O_EXCL : 0) |
    (constants.O_NOFOLLOW ?? 0) |
    (constants.O_NONBLOCK ?? 0)
  )
}

/** Folders, pipes and sockets have no offsets. `O_NONBLOCK` above lets a pipe be opened, and refused, without waiting. */
async function refuseWithoutOffsets(handle: FileHandle): Promise<void> {
  const facts = await handle.stat()
  if (!facts.isDirectory() && !facts.isFIFO() && !facts.isSocket()) return
  await handle.close()
  const code = facts.isDirectory() ? 'EISDIR' : 'EINVAL'
  throw Object.assign(new Error(code), { code })
}
