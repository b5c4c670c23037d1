import { join } from 'node:path'
import type { Binding, FileRegion } from '@kvbm/native'
import { isThere } from './private-directory.js'
import { bindingOf, type RuntimeOption } from './runtime-option.js'
import type { SlotTable } from './slot-table.js'
import { RECORD_BYTES, TABLE_OFFSET } from './superblock.js'

/** How many recorded blocks are what their records say. */
export interface SlotVerification {
  readonly sound: number
  readonly damaged: number
  /** Written anew or given up by their writer meanwhile: nothing can be said about them. */
  readonly changed: number
}

/** Whose files they are, and when to stop. */
export interface VerifyOptions extends RuntimeOption {
  readonly signal?: AbortSignal | undefined
}

interface OpenFiles {
  readonly binding: Binding
  readonly table: FileRegion
  readonly data: FileRegion
}

/** Reads every block of `table` and holds it against its checksum. Takes no lock and changes nothing. */
export async function verifySlots(
  root: string,
  name: string,
  table: SlotTable,
  { signal, ...options }: VerifyOptions = {},
): Promise<SlotVerification> {
  const found = { sound: 0, damaged: 0, changed: 0 }
  if (table.records.count === 0) return found
  if (!(await isThere(join(root, name, 'blocks.kvbm')))) return { ...found, damaged: table.records.count }
  const binding = bindingOf(options)
  const open = (file: string) =>
    binding.openFile({ path: join(root, name, file), write: false, create: false, direct: false })
  const files = { binding, table: await open('slots.kvbm'), data: await open('blocks.kvbm') }
  try {
    for (let row = 0; row < table.records.count; row++) {
      signal?.throwIfAborted()
      found[await judge(files, table, row)]++
    }
    return found
  } finally {
    binding.closeRegion(files.table.id)
    binding.closeRegion(files.data.id)
  }
}

/** Whoever overwrites a block takes its record away first: only one whose record still stands is damaged. */
async function judge(files: OpenFiles, table: SlotTable, row: number): Promise<keyof SlotVerification> {
  const { binding, data } = files
  const { records, slotBytes, slotStride } = table
  const bytes = await binding.readFile(data.id, records.slots[row]! * slotStride, slotBytes)
  if (bytes.length === slotBytes && binding.crc32c(bytes) === records.checksums[row]) return 'sound'
  return (await stillStands(files, table, row)) ? 'damaged' : 'changed'
}

async function stillStands({ binding, table }: OpenFiles, { records }: SlotTable, row: number): Promise<boolean> {
  const offset = TABLE_OFFSET + records.slots[row]! * RECORD_BYTES
  const now = await binding.readSlots(table.id, offset, 1)
  return now.count === 1 && now.generations[0] === records.generations[row]
}
