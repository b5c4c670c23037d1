import { stat, truncate, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type AllocateRequest,
  type DiskIo,
  DisposeStack,
  invalidArgument,
  positiveInteger,
  type Storage,
  type StorageAllocator,
} from '@kvbm/core'
import type { Binding, FileRegion } from '@kvbm/native'
import { lockOrThrow } from './directory-lock.js'
import { checkDiskIo } from './disk-pace.js'
import { FileStorage } from './file-storage.js'
import { type GrowthKind, growthNotes, weakerGrowth } from './growth-kind.js'
import { type OpenSlotsOptions, openSlotFile } from './open-slots.js'
import { checkOwnFile, claimDirectory, explained } from './private-directory.js'
import { bindingOf, type RuntimeOption, runtimeOf } from './runtime-option.js'
import type { SlotFile } from './slot-file.js'
import { DIRECT_IO_OFF, SEGMENT_BYTES_DEFAULT } from './slot-geometry.js'
import { SlotQuota } from './slot-quota.js'
import { type ReadSlotsOptions, SlotReader } from './slot-reader.js'

/** How files are opened, and the transfer runtime that they belong to. */
export interface DiskAllocatorOptions extends RuntimeOption {
  /** `auto` bypasses the page cache where sizes and file system allow it; `off` never does. Default `auto`. */
  readonly directIo?: 'auto' | 'off'
  /** What the disk gets at a time, for slots. Default: found by a trial of at most 200 ms where they take 1 GiB or more. */
  readonly io?: DiskIo
  /**
   * Bytes that the sub-directories of all fingerprints below the path may take together. When they do not fit, those that nobody has open
   * are removed, the longest unused first. Default: no bound but the disk.
   */
  readonly quotaBytes?: number
}

const LABEL = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/

/**
 * Files in one directory: created with mode 0700 and 0600, refused when it or a file in it is a link, another user's, or
 * writable by others (`DirectoryForeignError`), or in use already (`DirectoryLockedError`).
 */
export class DiskAllocator implements StorageAllocator {
  readonly kind = 'disk'
  readonly path: string
  readonly #options: DiskAllocatorOptions

  constructor(path: string, options: DiskAllocatorOptions = {}) {
    if (typeof path !== 'string' || path === '') throw invalidArgument('path', 'the path of a directory', path)
    if (options.quotaBytes !== undefined) positiveInteger('quotaBytes', options.quotaBytes)
    this.path = path
    this.#options = options.io === undefined ? options : { ...options, io: checkDiskIo(options.io) }
  }

  /**
   * The named, persistent file `<label>.bin`, made or opened again with what it held; it never shrinks. Its space is
   * reserved now, or `lazy`: taken from the file system as it is written.
   */
  async allocate({ sizeBytes, lazy = false, label = 'storage' }: AllocateRequest): Promise<Storage> {
    positiveInteger('sizeBytes', sizeBytes)
    if (!LABEL.test(label)) throw invalidArgument('label', 'up to 64 letters, digits, . _ or -, no dot first', label)
    const owned = new DisposeStack()
    try {
      return await this.#openNamed({ sizeBytes, lazy, label }, owned)
    } catch (error) {
      await owned.close()
      throw error
    }
  }

  /**
   * The slots of a disk tier, in a sub-directory named for the fingerprint, with what survived from before. Under a quota it has as many
   * slots as fit beside what others have open, and rejects with `StorageFullError` where not one does.
   */
  async openSlots(options: OpenSlotsOptions): Promise<SlotFile> {
    const { quotaBytes, directIo = 'auto', io = {} } = this.#options
    const runtime = runtimeOf(this.#options)
    const place = { root: this.path, runtime, directIo, io }
    await options.after?.expectInPlace()
    if (quotaBytes === undefined) return openSlotFile(place, options)
    const quota = new SlotQuota({ runtime, root: this.path, quotaBytes })
    return quota.opening(options, (numSlots) => openSlotFile({ ...place, quota }, fewerSlots(options, numSlots)))
  }

  /**
   * The same slots for a process that only reads, beside the one that writes them: takes no lock and changes nothing. Where nothing is
   * stored yet it finds nothing until `refresh()` does. Rejects with `DirectoryForeignError` or `StorageIoError`.
   */
  openSlotsReadOnly(options: ReadSlotsOptions): Promise<SlotReader> {
    const runtime = runtimeOf(this.#options)
    const directIo = this.#options.directIo ?? 'auto'
    return SlotReader.open({ root: this.path, binding: runtime.binding, directIo }, runtime, options)
  }

  describe(): string {
    return `files in ${this.path}`
  }

  async #openNamed({ sizeBytes, lazy, label }: Required<AllocateRequest>, owned: DisposeStack): Promise<Storage> {
    const binding = bindingOf(this.#options)
    const directory = await claimDirectory(this.path)
    const path = join(directory, `${label}.bin`)
    const existed = await checkOwnFile(directory, path)
    const lock = await lockOrThrow(binding, directory, join(directory, `${label}.lock`))
    owned.defer(() => lock.release())
    if (!existed) owned.defer(() => unlink(path).catch(() => undefined))
    const direct = this.#options.directIo !== 'off'
    const region = await binding.openFile({ path, write: true, create: true, direct })
    owned.defer(() => binding.closeRegion(region.id))
    const growth = lazy ? undefined : await reserve(binding, region, sizeBytes)
    if (lazy) await extend(directory, path, sizeBytes)
    const facts = { label, growth: lazy ? 'lazy' : (growth ?? 'as found') }
    return new FileStorage({
      binding,
      region,
      path,
      sizeBytes,
      facts: () => facts,
      notes: () => growthNotes(growth),
      directIoNote: direct ? '' : DIRECT_IO_OFF,
      onClose: () => lock.release(),
    })
  }
}

/** Grows in as many steps as it would with all its slots. */
function fewerSlots(options: OpenSlotsOptions, numSlots: number): OpenSlotsOptions {
  const { segmentBytes = SEGMENT_BYTES_DEFAULT } = options
  return { ...options, numSlots, segmentBytes: Math.ceil((segmentBytes * numSlots) / options.numSlots) }
}

/** Reserves what lies beyond the file's present end; what it holds is not touched. */
async function reserve(binding: Binding, region: FileRegion, sizeBytes: number): Promise<GrowthKind | undefined> {
  let weakest: GrowthKind | undefined
  for (let offset = region.sizeBytes; offset < sizeBytes; offset += SEGMENT_BYTES_DEFAULT) {
    const lengthBytes = Math.min(SEGMENT_BYTES_DEFAULT, sizeBytes - offset)
    weakest = weakerGrowth(weakest, await binding.reserveFile(region.id, offset, lengthBytes))
  }
  return weakest
}

/** Gives the file its size without reserving space. */
function extend(directory: string, path: string, sizeBytes: number): Promise<void> {
  return explained(directory, async () => {
    if ((await stat(path)).size < sizeBytes) await truncate(path, sizeBytes)
  })
}
