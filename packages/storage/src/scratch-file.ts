import { type FileHandle, open, unlink } from 'node:fs/promises'
import {
  ClosedError,
  DisposeStack,
  positiveInteger,
  type Storage,
  type StorageDescription,
  StorageFullError,
} from '@kvbm/core'
import type { Binding, FileRegion } from '@kvbm/native'
import { checkRange } from './byte-range.js'
import { explained } from './private-directory.js'
import { bindingOf, type RuntimeOption } from './runtime-option.js'
import { descriptorPath, roomIn, type ScratchPlace, scratchDirectory, scratchPlace } from './scratch-place.js'

/** Size and place of a scratch file. */
export interface ScratchFileOptions extends RuntimeOption {
  /** The file has exactly so many bytes. */
  readonly sizeBytes: number
  /** Default: a file system that is memory where there is one with room, else the directory for temporary files. */
  readonly directory?: string
}

interface ScratchParts {
  readonly binding: Binding
  readonly region: FileRegion
  readonly handle: FileHandle
  readonly place: ScratchPlace
  readonly owned: DisposeStack
}

/**
 * A file for bytes on their way to something that only opens files, for example an engine that loads its state by path. On Linux
 * it has no name: `path` leads over a descriptor of this process, and nothing is left however the process ends. Elsewhere it lies in a
 * directory of mode 0700 that `close` removes. Bytes of earlier uses may be in it: write all that is to be read.
 */
export class ScratchFile implements Storage {
  readonly kind = 'disk'
  readonly regionId: number
  /** Where this process opens the same bytes; not valid in another one. */
  readonly path: string
  readonly #parts: ScratchParts
  #sizeBytes = 0
  #closed = false

  /** Use `openScratchFile`. */
  constructor(parts: ScratchParts) {
    this.#parts = parts
    this.regionId = parts.region.id
    this.path = parts.place.anonymous ? descriptorPath(parts.handle.fd) : parts.place.path
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /**
   * Gives the file another size, exactly, whatever somebody who opened the path made of it; pages below both sizes stay as they are.
   * Rejects with `StorageFullError` when the file system has no room for what is new, and changes nothing.
   */
  async resize(sizeBytes: number): Promise<void> {
    this.#checkOpen()
    positiveInteger('sizeBytes', sizeBytes)
    const { handle, place } = this.#parts
    await explained(place.directory, async () => {
      const { size } = await handle.stat()
      await checkRoom(place.directory, sizeBytes - size)
      if (size !== sizeBytes) await handle.truncate(sizeBytes)
    })
    this.#sizeBytes = sizeBytes
  }

  alignmentOffset(alignment: number): number {
    this.#checkOpen()
    positiveInteger('alignment', alignment)
    return 0
  }

  /** Nothing to do: pages become real as they are written. */
  commit(): void {
    this.#checkOpen()
  }

  bytes(offset: number, length: number): undefined {
    this.#checkOpen()
    checkRange(offset, length, this.#sizeBytes)
  }

  describe(): StorageDescription {
    const { directory, anonymous } = this.#parts.place
    return { kind: this.kind, sizeBytes: this.#sizeBytes, facts: { directory, anonymous }, notes: [] }
  }

  /** Frees the bytes. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#parts.owned.close()
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError('scratch file')
  }
}

/** Opens a scratch file. Rejects with `StorageFullError` or `StorageIoError`, and leaves nothing behind then. */
export async function openScratchFile(options: ScratchFileOptions): Promise<ScratchFile> {
  const sizeBytes = positiveInteger('sizeBytes', options.sizeBytes)
  const directory = options.directory ?? (await scratchDirectory(sizeBytes))
  const owned = new DisposeStack()
  try {
    const file = new ScratchFile(await openParts(bindingOf(options), directory, owned))
    await file.resize(sizeBytes)
    return file
  } catch (error) {
    await owned.close()
    throw error
  }
}

// Unlinked as soon as the second descriptor is open: between the two a killed process leaves an empty file at most.
async function openParts(binding: Binding, directory: string, owned: DisposeStack): Promise<ScratchParts> {
  const place = await explained(directory, () => scratchPlace(directory))
  owned.defer(() => place.remove())
  const { path } = place
  const region = await binding.openFile({ path, write: true, create: true, exclusive: true, direct: false })
  owned.defer(() => binding.closeRegion(region.id))
  const unlinked = (): Promise<void> => unlink(path).catch(() => undefined)
  try {
    const handle = await explained(directory, () => open(path, 'r+'))
    owned.defer(() => handle.close())
    return { binding, region, handle, place, owned }
  } finally {
    if (place.anonymous) await unlinked()
  }
}

async function checkRoom(directory: string, growthBytes: number): Promise<void> {
  if (growthBytes <= 0) return
  const room = await roomIn(directory)
  if (growthBytes <= room) return
  const remedy = 'Make room there, or set TMPDIR to a larger file system.'
  throw new StorageFullError(
    `A scratch file in ${directory} needs ${growthBytes} bytes more, ${room} are free. ${remedy}`,
  )
}
