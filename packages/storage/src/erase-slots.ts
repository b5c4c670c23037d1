import { basename, join } from 'node:path'
import { DirectoryForeignError } from '@kvbm/core'
import type { Binding, FileRegion } from '@kvbm/native'
import { checkOwnFile, claimDirectory } from './private-directory.js'
import { bindingOf, type RuntimeOption } from './runtime-option.js'
import { readTable, type SlotTable } from './slot-table.js'
import { TABLE_OFFSET } from './superblock.js'

/** What was erased. */
export interface SlotErasure {
  readonly blocks: number
  /** Bytes overwritten with zeros: of these blocks, and of what lay in slots that hold none. */
  readonly wipedBytes: number
}

type ChooseRows = (table: SlotTable) => readonly number[]

/**
 * Takes blocks out of a sub-directory under its own lock: their records first, then the bytes of every slot that holds no block any
 * more, so that nothing of them is left in the files. `choose` gives the rows to erase. Undefined, and nothing changed, while somebody
 * has it open. Throws `DirectoryForeignError` for a directory or file that is not ours, and for a table that cannot be read.
 */
export async function eraseSlots(
  root: string,
  name: string,
  choose: ChooseRows,
  options: RuntimeOption = {},
): Promise<SlotErasure | undefined> {
  const binding = bindingOf(options)
  const files = await claimFiles(root, name)
  const lock = await binding.lockFile(join(files.directory, 'lock'))
  if (lock === undefined) return undefined
  try {
    return await erase(binding, files, choose)
  } finally {
    lock.release()
  }
}

interface Files {
  readonly directory: string
  readonly table: string
  /** Undefined when it is lost. */
  readonly data: string | undefined
}

async function claimFiles(root: string, name: string): Promise<Files> {
  await claimDirectory(root)
  const directory = await claimDirectory(join(root, name))
  const [table, data] = [join(directory, 'slots.kvbm'), join(directory, 'blocks.kvbm')]
  await checkOwnFile(directory, table)
  return { directory, table, data: (await checkOwnFile(directory, data)) ? data : undefined }
}

function erase(binding: Binding, { directory, table: path, data }: Files, choose: ChooseRows): Promise<SlotErasure> {
  return withFile(binding, path, async (file) => {
    const table = await readTable(binding, file.id, basename(directory))
    if (typeof table === 'string') throw new DirectoryForeignError(directory, `its slots.kvbm is ${table}`)
    const rows = choose(table)
    await binding.clearSlots(file.id, TABLE_OFFSET, slotsOf(table, rows))
    await binding.syncFile(file.id)
    return { blocks: rows.length, wipedBytes: data === undefined ? 0 : await wipe(binding, data, table, rows) }
  })
}

async function wipe(binding: Binding, path: string, table: SlotTable, erased: readonly number[]): Promise<number> {
  const gone = new Set(erased)
  const kept = new Set(table.records.slots.filter((_, row) => !gone.has(row)))
  return withFile(binding, path, async (file) => {
    let wiped = 0
    for (let slot = 0; slot * table.slotStride < file.sizeBytes; slot++)
      if (!kept.has(slot)) wiped += await wipeSlot(binding, file, slot, table)
    await binding.syncFile(file.id)
    return wiped
  })
}

/** What is zero already is left alone: writing it would make a sparse file full. */
async function wipeSlot(
  binding: Binding,
  { id }: FileRegion,
  slot: number,
  { slotBytes, slotStride }: SlotTable,
): Promise<number> {
  const bytes = await binding.readFile(id, slot * slotStride, slotBytes)
  if (bytes.every((byte) => byte === 0)) return 0
  await binding.writeFile(id, slot * slotStride, bytes.fill(0))
  return bytes.length
}

async function withFile<T>(binding: Binding, path: string, act: (file: FileRegion) => Promise<T>): Promise<T> {
  const file = await binding.openFile({ path, write: true, create: false, direct: false })
  try {
    return await act(file)
  } finally {
    binding.closeRegion(file.id)
  }
}

function slotsOf({ records }: SlotTable, rows: readonly number[]): Uint32Array {
  return Uint32Array.from(rows, (row) => records.slots[row]!)
}
