import type { SlotRecords, SlotRows } from '../binding.js'
import { crc32c } from './crc32c.js'

/** Bytes of one record; docs/durability.md shows them. */
export const RECORD_BYTES = 64

/** 'KVS1', little endian. */
const MAGIC = 0x3153564b
const CHECKED_BYTES = 60

/** Records of the given rows, one after another. */
export function encodeRecords(rows: SlotRows): Uint8Array {
  const bytes = new Uint8Array(rows.slots.length * RECORD_BYTES)
  for (let row = 0; row < rows.slots.length; row++) encodeRecord(bytes.subarray(row * RECORD_BYTES, (row + 1) * RECORD_BYTES), rows, row)
  return bytes
}

function encodeRecord(record: Uint8Array, rows: SlotRows, row: number): void {
  const view = new DataView(record.buffer, record.byteOffset, RECORD_BYTES)
  view.setUint32(0, MAGIC, true)
  view.setUint32(4, rows.lengths[row]!, true)
  view.setBigUint64(8, BigInt(rows.generations[row]!), true)
  record.set(bytesOfWords(rows.hashes, row), 16)
  record.set(bytesOfWords(rows.parents, row), 32)
  view.setUint32(48, rows.positions[row]!, true)
  view.setUint32(52, rows.checksums[row]!, true)
  view.setUint32(60, crc32c(record.subarray(0, CHECKED_BYTES)), true)
}

function bytesOfWords(words: Uint32Array, row: number): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset + row * 16, 16)
}

type RecordState = 'free' | 'valid' | 'damaged'

function stateOf(record: Uint8Array, view: DataView): RecordState {
  if (record.every((byte) => byte === 0)) return 'free'
  const whole = view.getUint32(0, true) === MAGIC && view.getUint32(60, true) === crc32c(record.subarray(0, CHECKED_BYTES))
  return whole ? 'valid' : 'damaged'
}

/** What a table of records says: valid ones ascending by generation, damaged ones counted. */
export function decodeRecords(table: Uint8Array): SlotRecords {
  const found: Array<{ slot: number; generation: number }> = []
  let damaged = 0
  const viewOf = (slot: number): DataView => new DataView(table.buffer, table.byteOffset + slot * RECORD_BYTES, RECORD_BYTES)
  for (let slot = 0; (slot + 1) * RECORD_BYTES <= table.length; slot++) {
    const view = viewOf(slot)
    const state = stateOf(table.subarray(slot * RECORD_BYTES, (slot + 1) * RECORD_BYTES), view)
    if (state === 'valid') found.push({ slot, generation: Number(view.getBigUint64(8, true)) })
    else if (state === 'damaged') damaged++
  }
  found.sort((a, b) => a.generation - b.generation)
  const field = (offset: number): Uint32Array => Uint32Array.from(found, ({ slot }) => viewOf(slot).getUint32(offset, true))
  const words = (offset: number): Uint32Array => {
    const bytes = new Uint8Array(found.length * 16)
    for (const [row, { slot }] of found.entries()) bytes.set(table.subarray(slot * RECORD_BYTES + offset, slot * RECORD_BYTES + offset + 16), row * 16)
    return new Uint32Array(bytes.buffer)
  }
  return {
    count: found.length,
    slots: Uint32Array.from(found, ({ slot }) => slot),
    generations: Float64Array.from(found, ({ generation }) => generation),
    hashes: words(16),
    parents: words(32),
    positions: field(48),
    lengths: field(4),
    checksums: field(52),
    damaged,
  }
}
