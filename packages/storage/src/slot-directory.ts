import { rename, stat, unlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { DirectoryForeignError, StorageIoError } from '@kvbm/core'
import type { Binding, FileRegion } from '@kvbm/native'
import { checkOwnDirectory, checkOwnFile, claimDirectory, explained, readOwnText } from './private-directory.js'
import { type DecodedCopy, directoryNameOf, FORMAT_VERSION, type Superblock } from './superblock.js'
import { readSuperblock, writeSuperblock } from './superblock-file.js'

/** Where the files of one fingerprint lie: a directory of their own, named for the fingerprint's hash. */
export interface SlotPaths {
  readonly directory: string
  /** Superblock, change counters and records. */
  readonly table: string
  /** The bytes of the slots. */
  readonly data: string
  readonly lock: string
  /** The fingerprint's text, for people. */
  readonly fingerprint: string
}

/** Makes or checks both directories and looks at what lies in them, but for the lock. Throws `DirectoryForeignError`. */
export async function claimSlotDirectory(root: string, fingerprint: string): Promise<SlotPaths> {
  return checkFiles(await claimDirectory(join(await claimDirectory(root), directoryNameOf(fingerprint))))
}

/** The same where both directories must be there: makes none. Throws `StorageIoError` where one is not. */
export async function checkSlotDirectory(root: string, fingerprint: string): Promise<SlotPaths> {
  const directory = join(resolve(root), directoryNameOf(fingerprint))
  if (await isSlotDirectoryThere(root, fingerprint)) return checkFiles(directory)
  throw new StorageIoError(`The cache directory ${directory} is not there any more. Bring it back, or open it again.`)
}

/** Whether the directory of one fingerprint is there, and ours. Throws `DirectoryForeignError`. */
export async function isSlotDirectoryThere(root: string, fingerprint: string): Promise<boolean> {
  const path = resolve(root)
  return (await checkOwnDirectory(path)) && (await checkOwnDirectory(join(path, directoryNameOf(fingerprint))))
}

async function checkFiles(directory: string): Promise<SlotPaths> {
  const paths = slotPaths(directory)
  const { table, data, fingerprint } = paths
  for (const path of [table, newTablePath(table), data, fingerprint]) await checkOwnFile(directory, path)
  return paths
}

/** The same for who only reads: makes nothing. Undefined where table or data are not there (yet). */
export async function findSlotDirectory(root: string, fingerprint: string): Promise<SlotPaths | undefined> {
  if (!(await isSlotDirectoryThere(root, fingerprint))) return undefined
  const paths = slotPaths(join(resolve(root), directoryNameOf(fingerprint)))
  for (const file of [paths.table, paths.data]) if (!(await checkOwnFile(paths.directory, file))) return undefined
  return paths
}

function slotPaths(directory: string): SlotPaths {
  const at = (name: string): string => join(directory, name)
  return {
    directory,
    table: at('slots.kvbm'),
    data: at('blocks.kvbm'),
    lock: at('lock'),
    fingerprint: at('fingerprint.json'),
  }
}

/** What must agree before anything of a directory is used or changed. */
export type Expectation = Pick<Superblock, 'fingerprint' | 'slotBytes' | 'slotStride'>

/** The superblock of the table, undefined where there is none yet. Throws `DirectoryForeignError`, changes nothing. */
export async function inspectTable(
  binding: Binding,
  paths: SlotPaths,
  expected: Expectation,
): Promise<Superblock | undefined> {
  if (!(await checkOwnFile(paths.directory, paths.table))) return expectNoForeignData(paths, expected)
  const file = await binding.openFile({ path: paths.table, write: false, create: false, direct: false })
  try {
    if (file.sizeBytes === 0) return await expectNoForeignData(paths, expected)
    return acceptSuperblock(await readSuperblock(binding, file.id), paths, expected)
  } finally {
    binding.closeRegion(file.id)
  }
}

/** Our data is made after table and text: with bytes in it and neither of them beside it, it is somebody else's. */
async function expectNoForeignData(
  { directory, data, fingerprint }: SlotPaths,
  expected: Expectation,
): Promise<undefined> {
  if (!(await checkOwnFile(directory, data)) || (await explained(directory, () => stat(data))).size === 0) return
  if ((await readOwnText(directory, fingerprint)) === expected.fingerprint.trim()) return
  throw new DirectoryForeignError(directory, `${data} has bytes, but no slot table of this library says of what`)
}

/** Creates the table under another name and moves it into place whole, so that a half-made one is never found. */
export async function createTable(binding: Binding, paths: SlotPaths, expected: Expectation): Promise<Superblock> {
  const path = newTablePath(paths.table)
  if (await checkOwnFile(paths.directory, path)) await explained(paths.directory, () => unlink(path))
  const file = await binding.openFile({ path, write: true, create: true, direct: false })
  const empty = { formatVersion: FORMAT_VERSION, sequence: 0, epoch: 0, generationFloor: 1, numSlots: 0, ...expected }
  let written: Superblock
  try {
    written = await writeSuperblock(binding, file.id, empty)
    await binding.syncFile(file.id)
  } finally {
    binding.closeRegion(file.id)
  }
  await explained(paths.directory, async () => {
    await writeFile(paths.fingerprint, `${expected.fingerprint}\n`, { mode: 0o600 })
    await rename(path, paths.table)
  })
  return written
}

/** Opens the table for writing. `direct`: the one scan of it goes past the page cache; records and superblocks never do. */
export function openTable(binding: Binding, paths: SlotPaths, direct: boolean): Promise<FileRegion> {
  return binding.openFile({ path: paths.table, write: true, create: false, direct })
}

function newTablePath(table: string): string {
  return `${table}.new`
}

/** What was found in the table's place, if it is what is expected. Throws `DirectoryForeignError`, which says whose it is. */
export function acceptSuperblock(
  found: DecodedCopy,
  paths: Pick<SlotPaths, 'directory' | 'table'>,
  expected: Expectation,
): Superblock {
  const reason = typeof found === 'string' ? UNREADABLE[found] : mismatch(found, expected)
  if (reason !== undefined) throw new DirectoryForeignError(paths.directory, `${paths.table} ${reason}`)
  return found as Superblock
}

const UNREADABLE: Readonly<Record<Extract<DecodedCopy, string>, string>> = {
  empty: 'has no superblock',
  torn: 'has no whole superblock: both copies are damaged',
  foreign: 'is not a slot table of this library',
}

function mismatch(found: Superblock, expected: Expectation): string | undefined {
  if (found.formatVersion > FORMAT_VERSION) {
    return `was written in format ${found.formatVersion} by a newer version for ${found.fingerprint}; this one reads up to format ${FORMAT_VERSION}`
  }
  if (found.fingerprint !== expected.fingerprint)
    return `holds blocks of ${found.fingerprint}, not of ${expected.fingerprint}`
  if (found.slotBytes === expected.slotBytes && found.slotStride === expected.slotStride) return undefined
  return `has slots of ${found.slotBytes} bytes every ${found.slotStride}, not of ${expected.slotBytes} every ${expected.slotStride}`
}
