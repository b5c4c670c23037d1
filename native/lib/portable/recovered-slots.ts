import { HashIndex, hashIndexEntries, WORDS_PER_HASH } from '@kvbm/core'
import type { RecoveredSlots, RecoverOptions, SlotRecords } from '../binding.js'
import { childrenFirst } from './children-first.js'

/** Records of a table, ascending by generation, as columns by slot. */
export function recoveredSlots(records: SlotRecords, options: RecoverOptions): RecoveredSlots {
  const { numSlots } = options
  const columns = {
    live: new Uint8Array(numSlots),
    hashes: new Uint32Array(numSlots * WORDS_PER_HASH),
    parents: new Uint32Array(numSlots * WORDS_PER_HASH),
    positions: new Uint32Array(numSlots),
    checksums: new Uint32Array(numSlots),
  }
  const kept = Array.from({ length: records.count }, (_, row) => row).filter((row) => fits(records, row, options))
  for (const row of kept) copyRow(columns, records, row)
  const slots = Uint32Array.from(kept, (row) => records.slots[row]!)
  const entries = new Uint32Array(hashIndexEntries(numSlots))
  const index = new HashIndex(columns.hashes, { entries, size: 0 })
  const { count, damaged } = records
  return {
    ...columns,
    index: entries,
    slots: childrenFirst(newestOfEach(slots, columns.hashes, index), columns, index),
    count: kept.length,
    damaged,
    dropped: records.slots.filter((_, row) => !fits(records, row, options)).sort(),
    lastGeneration: count === 0 ? 0 : records.generations[count - 1]!,
  }
}

function fits({ slots, lengths }: SlotRecords, row: number, { storedSlots, slotBytes }: RecoverOptions): boolean {
  return slots[row]! < storedSlots && lengths[row] === slotBytes
}

type Columns = Pick<RecoveredSlots, 'live' | 'hashes' | 'parents' | 'positions' | 'checksums'>

function copyRow(columns: Columns, records: SlotRecords, row: number): void {
  const slot = records.slots[row]!
  columns.live[slot] = 1
  columns.positions[slot] = records.positions[row]!
  columns.checksums[slot] = records.checksums[row]!
  for (const name of ['hashes', 'parents'] as const) {
    const words = records[name].subarray(row * WORDS_PER_HASH, (row + 1) * WORDS_PER_HASH)
    columns[name].set(words, slot * WORDS_PER_HASH)
  }
}

/** Fills the index in the order of slots, as the native core does. Of several slots with one hash the newest counts. */
function newestOfEach(slots: Uint32Array, hashes: Uint32Array, index: HashIndex): Uint32Array {
  const age = new Map(Array.from(slots, (slot, row) => [slot, row]))
  const superseded = new Set<number>()
  for (const slot of slots.toSorted()) {
    const other = index.find(hashes, slot * WORDS_PER_HASH)
    const older = other < 0 || age.get(other)! < age.get(slot)! ? other : slot
    superseded.add(older)
    if (older === slot) continue
    if (other >= 0) index.remove(other)
    index.insert(slot)
  }
  return slots.filter((slot) => !superseded.has(slot))
}
