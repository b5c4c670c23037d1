import { StorageFullError } from '@kvbm/core'
import {
  claimDirectory,
  isSlotDirectoryLocked,
  listSlotDirectories,
  type NativeTransferRuntime,
  removeSlotDirectory,
  type SlotDirectory,
  shrinkSlotDirectory,
  slotOverheadBytes,
  slotsForBytes,
} from '@kvbm/storage'
import type { Clock } from './clock.js'
import { withDirectoryLock } from './with-directory-lock.js'

export interface CacheDirectoryOptions {
  readonly path: string
  /** Bytes over all sub-directories. */
  readonly bytesMax: number
  readonly runtime: NativeTransferRuntime
  readonly clock: Clock
}

export interface DirectoryShare {
  /** Name of the sub-directory. */
  readonly name: string
  /** Bytes of one block. */
  readonly slotBytes: number
  /** Bytes that the sub-directory may grow to. */
  readonly shareBytes: number
}

interface Survey {
  /** Of all sub-directories, and what open ones were allowed to grow by. */
  readonly takenBytes: number
  /** Of those that some process has open, this one's own left out. */
  readonly busyBytes: number
  /** Closed ones, the longest unused first. */
  readonly closed: readonly SlotDirectory[]
  readonly exists: boolean
}

/** What a sub-directory may grow by before it must ask again: a segment of its file, as the manager chooses it. */
const GROWTH_STEP_MIN_BYTES = 2 ** 20
const GROWTH_STEP_MAX_BYTES = 256 * 2 ** 20

/**
 * The directory over the sub-directories of all fingerprints. Invariant: whoever creates, grows or removes a sub-directory holds the
 * short lock of the whole, and what lies there stays within `bytesMax`: the longest unused closed sub-directories go first. One is cut
 * or removed only under its own lock, so never while a process has it open.
 */
export class CacheDirectory {
  readonly path: string
  readonly #options: CacheDirectoryOptions
  /** Bytes that open sub-directories of this cache may still grow by without asking. */
  readonly #headroom = new Map<string, number>()

  constructor(options: CacheDirectoryOptions) {
    this.path = options.path
    this.#options = options
  }

  /** Creates the directory or checks that it is ours. Rejects with `DirectoryForeignError` or `StorageIoError`. */
  async claim(): Promise<void> {
    await claimDirectory(this.path)
  }

  /**
   * Makes room for a sub-directory, then runs `open` with the number of slots it may have, all under the short lock. Rejects with
   * `DirectoryLockedError` when another process keeps that lock for seconds, and with `StorageFullError` when not one slot fits.
   */
  async opening<T>(share: DirectoryShare, open: (numSlots: number) => Promise<T>): Promise<T> {
    return this.#exclusively(async () => {
      const numSlots = await this.#makeRoom(share)
      this.#headroom.set(share.name, stepOf(share))
      try {
        return await open(numSlots)
      } catch (error) {
        this.#headroom.delete(share.name)
        throw error
      }
    })
  }

  /** Asked before `bytes` more are written; makes room for them where that is needed. */
  async growing(share: DirectoryShare, bytes: number): Promise<void> {
    const left = this.#headroom.get(share.name)
    if (left === undefined) return
    if (bytes <= left) return void this.#headroom.set(share.name, left - bytes)
    await this.#exclusively(async () => {
      const step = Math.max(bytes, stepOf(share))
      this.#headroom.set(share.name, 0)
      await this.#removeUntil(await this.#survey(share.name), step)
      this.#headroom.set(share.name, step - bytes)
    })
  }

  /** The sub-directory is not open here any more. */
  closed(name: string): void {
    this.#headroom.delete(name)
  }

  #exclusively<T>(act: () => Promise<T>): Promise<T> {
    return withDirectoryLock(this.path, act, this.#options)
  }

  async #makeRoom(share: DirectoryShare): Promise<number> {
    const { bytesMax, runtime } = this.#options
    const { name, slotBytes, shareBytes } = share
    const survey = await this.#survey(name)
    const numSlots = slotsForBytes(Math.min(shareBytes, bytesMax - survey.busyBytes), slotBytes)
    if (numSlots < 1) throw noRoom(this.path, { ...share, bytesMax, busyBytes: survey.busyBytes })
    await this.#removeUntil(survey, stepOf(share) + (survey.exists ? 0 : slotOverheadBytes(numSlots)))
    if (survey.exists) await shrinkSlotDirectory(this.path, name, { numSlots, slotBytes }, { runtime })
    return numSlots
  }

  async #survey(own: string): Promise<Survey> {
    const { runtime } = this.#options
    const closed: SlotDirectory[] = []
    const all = await listSlotDirectories(this.path, { runtime })
    let [takenBytes, busyBytes] = [0, 0]
    for (const directory of all) {
      const bytes = directory.usedBytes + (this.#headroom.get(directory.name) ?? 0)
      takenBytes += bytes
      if (directory.name === own) continue
      if (this.#headroom.has(directory.name) || (await this.#isLocked(directory.name))) busyBytes += bytes
      else closed.push(directory)
    }
    return { takenBytes, busyBytes, closed, exists: all.some(({ name }) => name === own) }
  }

  #isLocked(name: string): Promise<boolean> {
    return isSlotDirectoryLocked(this.path, name, { runtime: this.#options.runtime })
  }

  async #removeUntil({ takenBytes, closed }: Survey, wantedBytes: number): Promise<void> {
    const { bytesMax, runtime } = this.#options
    let taken = takenBytes
    for (const { name, usedBytes } of closed) {
      if (taken + wantedBytes <= bytesMax) return
      if (await removeSlotDirectory(this.path, name, { runtime })) taken -= usedBytes
    }
  }
}

function stepOf({ shareBytes }: DirectoryShare): number {
  return Math.min(GROWTH_STEP_MAX_BYTES, Math.max(GROWTH_STEP_MIN_BYTES, Math.ceil(shareBytes / 16)))
}

function noRoom(
  path: string,
  { bytesMax, busyBytes, slotBytes, shareBytes }: DirectoryShare & { bytesMax: number; busyBytes: number },
): StorageFullError {
  const facts = `${busyBytes} of ${bytesMax} bytes are used by models that are open, a model's share is ${shareBytes}`
  return new StorageFullError(
    `The cache directory ${path} has no room for one block of ${slotBytes} bytes: ${facts}. Raise disk, or lower modelsMax.`,
  )
}
