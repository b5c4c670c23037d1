import { join } from 'node:path'
import { DirectoryForeignError } from '@kvbm/core'
import type { Binding, FileRegion } from '@kvbm/native'
import { bindingOf, type RuntimeOption } from './runtime-option.js'
import { readTable, type SlotTable } from './slot-table.js'
import { TABLE_OFFSET } from './superblock.js'

/** What was erased. */
export interface SlotErasure {
  readonly blocks: number
  /** Bytes overwritten with zeros: of these blocks, and of what lay in slots that hold none. */
  readonly wipedBytes: number
}

/**
 * Takes blocks out of a sub-directory under its own lock: their records first, then the bytes of every slot that holds no block any
 * more, so that nothing of them is left in the files. `choose` gives the rows to erase. Undefined, and nothing changed, while somebody
 * has it open. Throws `DirectoryForeignError` for a table that cannot be read.
 */
export async function eraseSlots(
  root: string,
  name: string,
  choose: (table: SlotTable) => readonly number[],
  options: RuntimeOption = {},
): Promise<SlotErasure | undefined> {
  const binding = bindingOf(options)
  const lock = await binding.lockFile(join(root, name, 'lock'))
  if (lock === undefined) return undefined
  try {
    return await withFile(binding, join(root, name, 'slots.kvbm'), async (file) => {
      const table = await readTable(binding, file.id, name)
      if (typeof table === 'string') throw new DirectoryForeignError(join(root, name), `its slots.kvbm is ${table}`)
      const rows = choose(table)
      await binding.clearSlots(file.id, TABLE_OFFSET, slotsOf(table, rows))
      await binding.syncFile(file.id)
      return { blocks: rows.length, wipedBytes: await wipe(binding, join(root, name, 'blocks.kvbm'), table, rows) }
    })
  } finally {
    lock.release()
  }
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
