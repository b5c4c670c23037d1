import { stat } from 'node:fs/promises'
import { DisposeStack } from '@kvbm/core'
import type { Binding, FileRegion } from '@kvbm/native'
import { acceptSuperblock, type Expectation, findSlotDirectory, type SlotPaths } from './slot-directory.js'
import { directIoFor } from './slot-geometry.js'
import { type DecodedCopy, RECORD_BYTES, type Superblock, TABLE_OFFSET } from './superblock.js'
import { readSuperblock } from './superblock-file.js'

/** Table and data of one fingerprint, open for reading beside their writer. */
export interface ReaderFiles {
  readonly paths: SlotPaths
  readonly table: FileRegion
  readonly data: FileRegion
  /** Tells this table from one that takes its place later: open files keep their inodes, so no other file has them. */
  readonly identity: string
  close(): Promise<void>
}

/** Whose files, and how they are read. */
export interface ReaderPlace {
  readonly root: string
  readonly binding: Binding
  readonly directIo: 'auto' | 'off'
}

/** Opens what is there; undefined where there is nothing yet, or nothing any more. Throws `DirectoryForeignError`. */
export async function openReaderFiles(place: ReaderPlace, expected: Expectation): Promise<ReaderFiles | undefined> {
  const { root, binding, directIo } = place
  const paths = await findSlotDirectory(root, expected.fingerprint)
  if (paths === undefined) return undefined
  const identity = await identityOf(paths)
  const owned = new DisposeStack()
  const open = async (path: string, direct: boolean): Promise<FileRegion> => {
    const region = await binding.openFile({ path, write: false, create: false, direct })
    owned.defer(() => binding.closeRegion(region.id))
    return region
  }
  try {
    const table = await open(paths.table, false)
    const data = await open(paths.data, directIoFor(expected.slotBytes, directIo).direct)
    if (identity !== undefined && identity === (await identityOf(paths)))
      return { paths, table, data, identity, close: () => owned.close() }
  } catch (error) {
    await owned.close()
    // Removed between looking and opening.
    if ((await identityOf(paths)) !== undefined) throw error
    return undefined
  }
  await owned.close()
  return undefined
}

/** Which file the table's path leads to now. */
export async function identityOf({ table }: SlotPaths): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(table, { bigint: true })
    return `${dev}:${ino}`
  } catch {
    return undefined
  }
}

/**
 * The superblock beside a writer. Its two copies are read one after the other, so both may look torn when the writer wrote each
 * while it was read; then they are read once more. Throws `DirectoryForeignError`.
 */
export async function readSuperblockBeside(
  binding: Binding,
  { paths, table }: ReaderFiles,
  expected: Expectation,
): Promise<Superblock> {
  let found: DecodedCopy = await readSuperblock(binding, table.id)
  if (found === 'torn') found = await readSuperblock(binding, table.id)
  const superblock = acceptSuperblock(found, paths, expected)
  return { ...superblock, numSlots: Math.min(superblock.numSlots, await recordsIn(paths)) }
}

/** Records that the table has bytes for: whoever writes it makes it longer first. A number is never believed for its own sake. */
async function recordsIn({ table }: SlotPaths): Promise<number> {
  const { size } = await stat(table)
  return Math.max(0, Math.floor((size - TABLE_OFFSET) / RECORD_BYTES))
}
