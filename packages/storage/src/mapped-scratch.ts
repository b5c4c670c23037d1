import { ClosedError, positiveInteger, type Storage, type StorageDescription } from '@kvbm/core'
import type { Binding } from '@kvbm/native'
import { checkRange } from './byte-range.js'
import { bindingOf } from './runtime-option.js'
import { openScratchFile, type ScratchFile, type ScratchFileOptions } from './scratch-file.js'
import { isMemory, scratchDirectory } from './scratch-place.js'

/**
 * A scratch file that is memory here, too: copies into it take no system calls, and its pages are real from the beginning. Its size does not
 * change, and nobody may cut it while it is copied to.
 */
export class MappedScratch implements Storage {
  readonly kind = 'system'
  readonly sizeBytes: number
  readonly regionId: number
  /** Where this process opens the same bytes; not valid in another one. */
  readonly path: string
  readonly #binding: Binding
  readonly #file: ScratchFile
  #closed = false

  /** Use `openMappedScratch`. */
  constructor(binding: Binding, file: ScratchFile, region: number) {
    this.sizeBytes = file.sizeBytes
    this.regionId = region
    this.path = file.path
    this.#binding = binding
    this.#file = file
  }

  alignmentOffset(alignment: number): number {
    this.#checkOpen()
    return this.#binding.alignmentOffset(this.regionId, positiveInteger('alignment', alignment))
  }

  /** Nothing to do: its pages are real. */
  commit(): void {
    this.#checkOpen()
  }

  /** No views: whoever cuts the file would take their bytes away. */
  bytes(offset: number, length: number): undefined {
    this.#checkOpen()
    checkRange(offset, length, this.sizeBytes)
  }

  describe(): StorageDescription {
    const { facts, notes } = this.#file.describe()
    return { kind: this.kind, sizeBytes: this.sizeBytes, facts: { ...facts, mapped: true }, notes }
  }

  /** Frees the bytes. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true
    this.#binding.closeRegion(this.regionId)
    await this.#file.close()
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError('scratch file')
  }
}

/**
 * Opens a scratch file that is memory here, too; undefined where there is no file system that is memory with room, or no safe way to
 * map its files. Rejects with `StorageFullError` or `StorageIoError`. Leaves nothing behind unless it succeeds.
 */
export async function openMappedScratch(options: ScratchFileOptions): Promise<MappedScratch | undefined> {
  const directory = options.directory ?? (await scratchDirectory(options.sizeBytes))
  if (!(await isMemory(directory))) return undefined
  const file = await openScratchFile({ ...options, directory })
  try {
    const binding = bindingOf(options)
    const region = await binding.mapFile(file.regionId, file.sizeBytes)
    if (region !== undefined) return new MappedScratch(binding, file, region.id)
  } catch (error) {
    await file.close()
    throw error
  }
  await file.close()
  return undefined
}
