import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { KvbmError, type Logger, positiveInteger, StorageFullError, StorageIoError, silentLogger } from '@kvbm/core'
import type { Binding } from '@kvbm/native'
import { checkOwnDirectory, checkOwnFile } from './private-directory.js'
import { bindingOf, type RuntimeOption } from './runtime-option.js'
import {
  isSlotDirectoryLocked,
  listSlotDirectories,
  removeSlotDirectory,
  type SlotDirectory,
  shrinkSlotDirectory,
  slotDirectoryName,
  slotOverheadBytes,
  slotsForBytes,
} from './slot-directories.js'
import { FORMAT_VERSION, RECORD_BYTES, type Superblock } from './superblock.js'
import { readSuperblock } from './superblock-file.js'
import { withDirectoryLock } from './with-directory-lock.js'

/** Whose space, and how much of it. */
export interface SlotQuotaOptions extends RuntimeOption {
  /** The directory over the sub-directories of all fingerprints. */
  readonly root: string
  /** Bytes that all of them may take together. */
  readonly quotaBytes: number
}

/** What is to be opened. */
export interface QuotaRequest {
  readonly fingerprint: string
  readonly slotBytes: number
  /** Slots wanted. */
  readonly numSlots: number
  readonly logger?: Logger
}

interface Survey {
  /** What all sub-directories take now. */
  readonly usedBytes: number
  /** What open ones may grow to, and what nobody recognises takes: nothing of it can be taken away. */
  readonly fixedBytes: number
  /** Ours, and open nowhere: the longest unused first. */
  readonly removable: readonly SlotDirectory[]
  /** The one of the fingerprint that asks. */
  readonly own: SlotDirectory | undefined
}

type KnownTable = Pick<Superblock, 'numSlots' | 'slotBytes'>

/** Nobody can open it any more. */
const TORN: KnownTable = { numSlots: 0, slotBytes: 0 }

/** Everything that this library writes into a sub-directory. One with anything else in it is left alone. */
const OUR_FILES: ReadonlySet<string> = new Set([
  'slots.kvbm',
  'slots.kvbm.new',
  'blocks.kvbm',
  'lock',
  'lock-holder.txt',
  'fingerprint.json',
  'calibration.json',
  'calibration.tmp',
  'model.json',
])

/**
 * One bound on the bytes of all fingerprints below one directory. Invariant: what open sub-directories may grow to is together within
 * the quota, so growing needs nothing but the removal of closed ones, the longest unused first. Whoever opens or grows one holds the
 * short lock of the whole; one is cut or removed only under its own lock, so never while a process has it open; and what is not
 * recognised as ours is neither locked nor changed, only counted.
 */
export class SlotQuota {
  readonly #root: string
  readonly #quotaBytes: number
  readonly #options: RuntimeOption
  readonly #binding: Binding
  /** Ends with the last growth that was asked for: those of one file take turns instead of competing for the lock. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor({ root, quotaBytes, ...options }: SlotQuotaOptions) {
    this.#root = root
    this.#quotaBytes = positiveInteger('quotaBytes', quotaBytes)
    this.#options = options
    this.#binding = bindingOf(options)
  }

  /**
   * Makes room, then runs `open` with the number of slots that there is room for, at most those wanted. Rejects with `StorageFullError`
   * where not one fits beside what others have open.
   */
  opening<T>(request: QuotaRequest, open: (numSlots: number) => Promise<T>): Promise<T> {
    return this.#exclusively(async () => {
      const numSlots = await this.#makeRoom(request)
      const opened = await open(numSlots)
      if (numSlots < request.numSlots) request.logger?.warn(this.#fewer(numSlots, request.numSlots))
      return opened
    })
  }

  /**
   * Makes room for `bytes` more of one sub-directory, then runs `grow`. Rejects with `StorageFullError` where there is none, with
   * `StorageIoError` when another process keeps the short lock for seconds.
   */
  growing<T>(name: string, bytes: number, grow: () => Promise<T>): Promise<T> {
    const grown = this.#turn.then(() => this.#grow(name, bytes, grow))
    this.#turn = grown.catch(() => {})
    return grown
  }

  async #grow<T>(name: string, bytes: number, grow: () => Promise<T>): Promise<T> {
    try {
      return await this.#exclusively(async () => {
        const left = await this.#removeUntil(await this.#survey(name), bytes)
        if (left < 0) throw this.#noRoomToGrow(bytes, left)
        return grow()
      })
    } catch (cause) {
      if (!KvbmError.is(cause, 'KVBM_DIRECTORY_LOCKED')) throw cause
      throw new StorageIoError(`The cache directory ${this.#root} cannot grow: ${cause.message}`, { cause })
    }
  }

  #exclusively<T>(act: () => Promise<T>): Promise<T> {
    return withDirectoryLock(this.#root, act, this.#options)
  }

  async #makeRoom({ fingerprint, slotBytes, numSlots: wanted, logger = silentLogger }: QuotaRequest): Promise<number> {
    const name = slotDirectoryName(fingerprint)
    const { fixedBytes, own } = await this.#survey(name)
    const numSlots = Math.min(wanted, slotsForBytes(this.#quotaBytes - fixedBytes, slotBytes))
    if (numSlots < 1) throw this.#noRoom(slotBytes, fixedBytes)
    const found = own && (await this.#recognise(own))
    // Whatever else is there, opening refuses it; nothing is changed for that.
    if (own !== undefined && found?.slotBytes !== slotBytes) return numSlots
    if (found !== undefined) await shrinkSlotDirectory(this.#root, name, { numSlots, slotBytes }, this.#options)
    const tableBytes = found ? Math.max(0, numSlots - found.numSlots) * RECORD_BYTES : slotOverheadBytes(numSlots)
    await this.#removeUntil(await this.#survey(name), tableBytes, logger)
    return numSlots
  }

  async #survey(own: string): Promise<Survey> {
    const all = await listSlotDirectories(this.#root, this.#options)
    const removable: SlotDirectory[] = []
    let fixedBytes = 0
    for (const directory of all) {
      if (directory.name === own) continue
      if ((await this.#recognise(directory)) === undefined) fixedBytes += directory.usedBytes
      else if (await isSlotDirectoryLocked(this.#root, directory.name, this.#options))
        fixedBytes += Math.max(directory.usedBytes, directory.capacityBytes)
      else removable.push(directory)
    }
    const usedBytes = all.reduce((sum, directory) => sum + directory.usedBytes, 0)
    return { usedBytes, fixedBytes, removable, own: all.find(({ name }) => name === own) }
  }

  /** Removes closed ones until `wantedBytes` more fit. Returns what is left of the quota then; negative where they do not fit. */
  async #removeUntil({ usedBytes, removable }: Survey, wantedBytes: number, logger = silentLogger): Promise<number> {
    let left = this.#quotaBytes - usedBytes - wantedBytes
    for (const { name, usedBytes: bytes, fingerprint } of removable) {
      if (left >= 0) break
      if (!(await removeSlotDirectory(this.#root, name, this.#options))) continue
      left += bytes
      logger.info(`Removed ${join(this.#root, name)} (${bytes} bytes of ${fingerprint}) to keep the quota.`)
    }
    return left
  }

  /** Its table where it is ours beyond doubt, of a format we know, with nothing in it that is not ours. Changes nothing. */
  async #recognise({ name, fingerprint }: SlotDirectory): Promise<KnownTable | undefined> {
    const directory = join(this.#root, name)
    try {
      if (!(await checkOwnDirectory(directory))) return undefined
      const names = await readdir(directory)
      if (!names.every((file) => OUR_FILES.has(file)) || !names.includes('slots.kvbm')) return undefined
      for (const file of names) await checkOwnFile(directory, join(directory, file))
      return await this.#readTable(join(directory, 'slots.kvbm'), name, fingerprint)
    } catch {
      return undefined
    }
  }

  /** A table whose superblocks are torn is known by the text beside it, which gives the directory its name, too. */
  async #readTable(path: string, name: string, text: string): Promise<KnownTable | undefined> {
    const file = await this.#binding.openFile({ path, write: false, create: false, direct: false })
    try {
      const found = await readSuperblock(this.#binding, file.id)
      if (found === 'torn') return slotDirectoryName(text) === name ? TORN : undefined
      if (typeof found === 'string' || found.formatVersion > FORMAT_VERSION) return undefined
      return slotDirectoryName(found.fingerprint) === name ? found : undefined
    } finally {
      this.#binding.closeRegion(file.id)
    }
  }

  #fewer(numSlots: number, wanted: number): string {
    return `${this.#root}: ${numSlots} of ${wanted} slots fit into the quota of ${this.#quotaBytes} bytes, beside what others have open. Raise the quota to have them all.`
  }

  #noRoom(slotBytes: number, fixedBytes: number): StorageFullError {
    const facts = `its quota is ${this.#quotaBytes} bytes, ${fixedBytes} belong to fingerprints that are open or to what is not recognised, ${slotOverheadBytes(1)} are needed beside the block`
    const remedy = 'Raise the quota, close what is open, or choose another directory.'
    return new StorageFullError(
      `The cache directory ${this.#root} has no room for one block of ${slotBytes} bytes: ${facts}. ${remedy}`,
    )
  }

  #noRoomToGrow(bytes: number, left: number): StorageFullError {
    const remedy = 'Raise the quota, or close what else is open there.'
    return new StorageFullError(
      `The cache directory ${this.#root} has no room to grow by ${bytes} bytes: ${-left} of them do not fit into its quota of ${this.#quotaBytes}. ${remedy}`,
    )
  }
}
