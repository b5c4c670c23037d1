import type { Dirent, Stats } from 'node:fs'
import { readdir, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import type { Binding } from '@kvbm/native'
import { allocatedBytes } from './file-space.js'
import { checkOwnFile, explained, readOwnText } from './private-directory.js'
import { bindingOf, type RuntimeOption } from './runtime-option.js'
import { slotGeometry } from './slot-geometry.js'
import { directoryNameOf, RECORD_BYTES, TABLE_OFFSET } from './superblock.js'
import { readSuperblock } from './superblock-file.js'

/** What lies in the sub-directory of one fingerprint. Read without a lock: a report, not a promise. */
export interface SlotDirectory {
  /** Name below the root; `slotDirectoryName` of the fingerprint. */
  readonly name: string
  /** Bytes the file system spends on it now. */
  readonly usedBytes: number
  /** Bytes it may grow to: what its last writer opened it for. 0 where that cannot be read. */
  readonly capacityBytes: number
  /** When it was last written or locked, in milliseconds since 1970. */
  readonly usedMs: number
  /** The fingerprint's text, for people; empty where it cannot be read. */
  readonly fingerprint: string
}

const NAME = /^[0-9a-f]{16}$/
/** What lock, notes and the ends of blocks of the file system take beside table and data. */
const SMALL_FILES_BYTES = 64 * 1024

/** The name of a fingerprint's sub-directory below the path of a `DiskAllocator`. */
export function slotDirectoryName(fingerprint: string): string {
  return directoryNameOf(fingerprint)
}

/** Bytes of disk that a sub-directory takes before its first block: the table of its records, and small files. */
export function slotOverheadBytes(numSlots: number): number {
  return TABLE_OFFSET + numSlots * RECORD_BYTES + SMALL_FILES_BYTES
}

/** How many slots of `slotBytes` fit into `bytes` of disk with everything that belongs to them. */
export function slotsForBytes(bytes: number, slotBytes: number): number {
  const { slotStride } = slotGeometry({ numSlots: 1, slotBytes })
  return Math.max(0, Math.floor((bytes - slotOverheadBytes(0)) / (slotStride + RECORD_BYTES)))
}

/** The sub-directories of all fingerprints below `root`, the longest unused first. None when `root` does not exist. */
export async function listSlotDirectories(root: string, options: RuntimeOption = {}): Promise<SlotDirectory[]> {
  const binding = bindingOf(options)
  const entries = await explained(root, () => entriesOf(root))
  const found: SlotDirectory[] = []
  for (const entry of entries)
    if (entry.isDirectory() && NAME.test(entry.name)) found.push(await examine(binding, root, entry.name))
  return found.sort((a, b) => a.usedMs - b.usedMs)
}

/** True while some process has the sub-directory open for writing. */
export async function isSlotDirectoryLocked(root: string, name: string, options: RuntimeOption = {}): Promise<boolean> {
  const lock = await bindingOf(options).lockFile(lockPath(root, name))
  lock?.release()
  return lock === undefined
}

/** Removes a sub-directory with all blocks in it, under its own lock. False, and nothing changed, while somebody has it open. */
export async function removeSlotDirectory(root: string, name: string, options: RuntimeOption = {}): Promise<boolean> {
  const lock = await bindingOf(options).lockFile(lockPath(root, name))
  if (lock === undefined) return false
  const remove = (): Promise<void> => rm(join(root, name), { recursive: true, force: true })
  try {
    // Windows does not remove an open file.
    if (process.platform !== 'win32') await explained(root, remove)
  } finally {
    lock.release()
  }
  if (process.platform === 'win32') await explained(root, remove)
  return true
}

/**
 * Cuts the data of a sub-directory to its first `numSlots` slots, under its own lock; opening it drops the records beyond. False, and
 * nothing changed, while somebody has it open. Throws `DirectoryForeignError` where its data is not a file of ours.
 */
export async function shrinkSlotDirectory(
  root: string,
  name: string,
  size: { readonly numSlots: number; readonly slotBytes: number },
  options: RuntimeOption = {},
): Promise<boolean> {
  const lock = await bindingOf(options).lockFile(lockPath(root, name))
  if (lock === undefined) return false
  try {
    const { numSlots } = size
    const directory = join(root, name)
    await cut(directory, 'blocks.kvbm', numSlots * slotGeometry(size).slotStride)
    await cut(directory, 'slots.kvbm', TABLE_OFFSET + numSlots * RECORD_BYTES)
    return true
  } finally {
    lock.release()
  }
}

async function cut(directory: string, name: string, bytes: number): Promise<void> {
  const path = join(directory, name)
  if (!(await checkOwnFile(directory, path))) return
  await explained(directory, async () => {
    if ((await stat(path)).size > bytes) await truncate(path, bytes)
  })
}

function lockPath(root: string, name: string): string {
  return join(root, name, 'lock')
}

async function examine(binding: Binding, root: string, name: string): Promise<SlotDirectory> {
  const directory = join(root, name)
  const files = await Promise.all((await entriesOf(directory)).map((entry) => statIfThere(join(directory, entry.name))))
  const stats = files.filter((file): file is Stats => file !== undefined)
  const fingerprint = await readOwnText(directory, join(directory, 'fingerprint.json'))
  return {
    name,
    fingerprint,
    usedBytes: stats.reduce((sum, file) => sum + allocatedBytes(file), 0),
    usedMs: stats.reduce((latest, file) => Math.max(latest, file.mtimeMs), 0),
    capacityBytes: await capacityOf(binding, join(directory, 'slots.kvbm')),
  }
}

async function capacityOf(binding: Binding, table: string): Promise<number> {
  try {
    const file = await binding.openFile({ path: table, write: false, create: false, direct: false })
    try {
      const found = await readSuperblock(binding, file.id)
      if (typeof found === 'string') return 0
      return TABLE_OFFSET + found.numSlots * (found.slotStride + RECORD_BYTES)
    } finally {
      binding.closeRegion(file.id)
    }
  } catch {
    return 0
  }
}

async function entriesOf(directory: string): Promise<Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

async function statIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch {
    return undefined
  }
}
