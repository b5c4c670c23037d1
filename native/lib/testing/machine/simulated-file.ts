import { StorageIoError } from '@kvbm/core'
import type { PortableFile } from '../../portable/machine.js'
import { ioError } from '../../portable/node-file.js'
import type { FileContent } from './file-content.js'
import { type SimulatedDisk, systemError } from './simulated-disk.js'
import type { TakesTurns } from './takes-turns.js'

/** A write is cut into so many pieces at most, each with a turn of its own: a death may come between. */
const PIECES_MAX = 3

/** Which file, and how it was opened. */
export interface OpenedFile {
  readonly path: string
  readonly content: FileContent
  readonly isWritable: boolean
}

/** An open file of a simulated process. Each access is one turn, writes are several. */
export class SimulatedFile implements PortableFile {
  readonly #process: TakesTurns
  readonly #disk: SimulatedDisk
  readonly #path: string
  readonly #content: FileContent
  readonly #isWritable: boolean

  constructor(process: TakesTurns, disk: SimulatedDisk, { path, content, isWritable }: OpenedFile) {
    this.#process = process
    this.#disk = disk
    this.#path = path
    this.#content = content
    this.#isWritable = isWritable
  }

  async size(): Promise<number> {
    return this.#content.sizeBytes
  }

  read(target: Uint8Array, offset: number): Promise<number> {
    return this.#turn(`read ${target.length} at ${offset}`, () => this.#content.read(target, offset))
  }

  async readAll(target: Uint8Array, offset: number): Promise<void> {
    const { length } = target
    const done = await this.read(target, offset)
    if (done < length)
      throw new StorageIoError(`Reading ${length} bytes at ${offset} of ${this.#path}: it ends after ${done} of them.`)
  }

  async write(source: Uint8Array, offset: number): Promise<void> {
    for (let at = 0; at < source.length; ) {
      const bytes = source.subarray(at, at + this.#pieceOf(source.length))
      const begin = offset + at
      await this.#turn(`write ${bytes.length} at ${begin}`, () => this.#write(bytes, begin), true)
      at += bytes.length
    }
  }

  async reserve(offset: number, length: number): Promise<'allocated'> {
    const end = offset + length
    await this.#turn(`reserve ${length} at ${offset}`, () => {
      this.#disk.expectRoom(this.#content, end)
      this.#content.extend(end)
    })
    return 'allocated'
  }

  sync(): Promise<void> {
    return this.#turn('sync', () => this.#disk.flush(this.#content))
  }

  async close(): Promise<void> {}

  #write(bytes: Uint8Array, offset: number): void {
    if (!this.#isWritable) throw systemError('EBADF', this.#path)
    this.#disk.expectRoom(this.#content, offset + bytes.length)
    this.#content.write(bytes, offset)
  }

  /** All of it, or some bytes. */
  #pieceOf(length: number): number {
    const { random } = this.#process
    return random.chance(0.7) ? length : Math.max(1, Math.ceil(length / (1 + random.below(PIECES_MAX))))
  }

  async #turn<T>(what: string, effect: () => T, mayFollowDeath = false): Promise<T> {
    try {
      return await this.#process.turn(`${what} ${this.#path}`, effect, mayFollowDeath)
    } catch (error) {
      throw ioError(`${what} of ${this.#path}`, error)
    }
  }
}

/** Opens or makes the file of a path, as `open` with the flags of a binding does. */
export function openContent(
  disk: SimulatedDisk,
  path: string,
  options: { readonly create: boolean; readonly exclusive?: boolean },
): FileContent {
  if (disk.entry(path) === undefined && options.create) return disk.createFile(path)
  if (options.exclusive === true) throw systemError('EEXIST', path)
  return disk.file(path)
}
