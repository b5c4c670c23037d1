import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { StorageFullError, StorageIoError } from '@kvbm/core'
import type { OpenFileOptions } from '../binding.js'

const ZERO_FILL_BYTES = 2 ** 20

/** What the operating system said, in our words. */
export function ioError(what: string, cause: unknown): StorageFullError | StorageIoError {
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') return new StorageFullError(`${what}: no space is left (${code}). Free space or lower numBlocks.`, { cause })
  return new StorageIoError(`${what}: ${code ?? message}. Check the disk and the permissions.`, { cause })
}

/** A file of the twin: everything goes through the page cache. */
export class PortableFile {
  readonly path: string
  readonly #handle: FileHandle

  private constructor(path: string, handle: FileHandle) {
    this.path = path
    this.#handle = handle
  }

  static async open({ path, write, create, exclusive = false }: OpenFileOptions): Promise<PortableFile> {
    const flags =
      (write ? constants.O_RDWR : constants.O_RDONLY) | (create ? constants.O_CREAT : 0) | (exclusive ? constants.O_EXCL : 0) | (constants.O_NOFOLLOW ?? 0)
    try {
      return new PortableFile(path, await open(path, flags, 0o600))
    } catch (error) {
      throw ioError(`Opening ${path}`, error)
    }
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size
  }

  /** Reads into `target`; returns how many bytes there were before the end of the file. */
  async read(target: Uint8Array, offset: number): Promise<number> {
    let done = 0
    try {
      while (done < target.length) {
        const { bytesRead } = await this.#handle.read(target, done, target.length - done, offset + done)
        if (bytesRead === 0) return done
        done += bytesRead
      }
    } catch (error) {
      throw ioError(`Reading ${target.length} bytes at ${offset} of ${this.path}`, error)
    }
    return done
  }

  async readAll(target: Uint8Array, offset: number): Promise<void> {
    const done = await this.read(target, offset)
    if (done < target.length) throw new StorageIoError(`Reading ${this.path}: the file ends after ${done} of ${target.length} bytes at ${offset}. It was truncated or never written.`)
  }

  async write(source: Uint8Array, offset: number): Promise<void> {
    let done = 0
    try {
      while (done < source.length) done += (await this.#handle.write(source, done, source.length - done, offset + done)).bytesWritten
    } catch (error) {
      throw ioError(`Writing ${source.length} bytes at ${offset} of ${this.path}`, error)
    }
  }

  /** Node has no fallocate, so space is made real by writing zeros past the present end. */
  async reserve(end: number): Promise<'zero-filled' | 'sparse'> {
    const size = await this.size()
    const zeros = new Uint8Array(Math.min(ZERO_FILL_BYTES, Math.max(0, end - size)))
    for (let at = size; at < end; at += zeros.length) await this.write(zeros.subarray(0, Math.min(zeros.length, end - at)), at)
    return 'zero-filled'
  }

  async sync(): Promise<void> {
    await this.#handle.sync().catch((error: unknown) => {
      throw ioError(`Flushing ${this.path}`, error)
    })
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}
