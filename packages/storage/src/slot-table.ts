import { join } from 'node:path'
import type { Binding, SlotRecords } from '@kvbm/native'
import { isThere } from './private-directory.js'
import { bindingOf, type RuntimeOption } from './runtime-option.js'
import { directoryNameOf, FORMAT_VERSION, type Superblock, TABLE_OFFSET } from './superblock.js'
import { readSuperblock } from './superblock-file.js'

/** What the table of a sub-directory says. Read without a lock, beside whoever writes: a report, not a promise. */
export interface SlotTable extends Pick<Superblock, 'fingerprint' | 'numSlots' | 'slotBytes' | 'slotStride'> {
  /** Ascending by generation: oldest first. `damaged` counts those that do not hold. */
  readonly records: SlotRecords
}

/** Why a table cannot be read: not there, begun and not finished, damaged, not ours, of a newer version, or not allowed. */
export type SlotTableRefusal = 'missing' | 'empty' | 'torn' | 'foreign' | 'newer' | 'unreadable'

/** Reads the table of a sub-directory and changes nothing, not even its lock. A refusal is an answer, not an error. */
export async function readSlotTable(
  root: string,
  name: string,
  options: RuntimeOption = {},
): Promise<SlotTable | SlotTableRefusal> {
  const binding = bindingOf(options)
  const path = join(root, name, 'slots.kvbm')
  try {
    if (!(await isThere(path))) return 'missing'
    const file = await binding.openFile({ path, write: false, create: false, direct: false })
    try {
      return await readTable(binding, file.id, name)
    } finally {
      binding.closeRegion(file.id)
    }
  } catch {
    return 'unreadable'
  }
}

/** The same of a table that is open. `name` is the directory's, which the fingerprint gives. */
export async function readTable(binding: Binding, file: number, name: string): Promise<SlotTable | SlotTableRefusal> {
  const found = await readSuperblock(binding, file)
  if (typeof found === 'string') return found
  if (found.formatVersion > FORMAT_VERSION) return 'newer'
  if (directoryNameOf(found.fingerprint) !== name) return 'foreign'
  const { fingerprint, numSlots, slotBytes, slotStride } = found
  return { fingerprint, numSlots, slotBytes, slotStride, records: await readRecords(binding, file, numSlots) }
}

/** A record that its writer has in hand looks damaged for a moment; one that does so twice is. */
async function readRecords(binding: Binding, file: number, numSlots: number): Promise<SlotRecords> {
  const first = await binding.readSlots(file, TABLE_OFFSET, numSlots)
  if (first.damaged === 0) return first
  const second = await binding.readSlots(file, TABLE_OFFSET, numSlots)
  return { ...second, damaged: Math.min(first.damaged, second.damaged) }
}
