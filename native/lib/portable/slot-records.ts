import { invalidArgument } from '@kvbm/core'
import { rowsArgument } from '../arguments.js'
import type { SlotRecords, SlotRows } from '../binding.js'
import { crc32c } from './crc32c.js'

/** Bytes of one record; docs/durability.md shows them. */
export const RECORD_BYTES = 64

/** 'KVS1', little endian. */
const MAGIC = 0x3153564b
const CHECKED_BYTES = 60
/** None higher was ever written, and those that follow must be exact in numbers. */
const GENERATION_MAX = 2 ** 52
const HASH_BYTES = 16

/** Records of the given rows, one after another. Throws `RangeError` when the columns are not parallel. */
export function encodeRecords(rows: SlotRows): Uint8Array {
  checkColumns(rowsArgument(rows))
  const bytes = new Uint8Array(rows.slots.length * RECORD_BYTES)
  for (let row = 0; row < rows.slots.length; row++) {
    encodeRecord(bytes.subarray(row * RECORD_BYTES, (row + 1) * RECORD_BYTES), rows, row)
  }
  return bytes
}

function checkColumns(rows: SlotRows): void {
  const count = rows.slots.length
  for (const name of ['generations', 'positions', 'lengths', 'checksums'] as const) {
    if (rows[name].length !== count)
      throw invalidArgument(`rows.${name}.length`, `${count}, one per slot`, rows[name].length)
  }
  for (const name of ['hashes', 'parents'] as const) {
    if (rows[name].length !== 4 * count) {
      throw invalidArgument(`rows.${name}.length`, `${4 * count}, four words per slot`, rows[name].length)
    }
  }
  for (const generation of rows.generations) {
    if (!Number.isSafeInteger(generation) || generation < 0) {
      throw invalidArgument('rows.generations', 'integers of 0 or more', generation)
    }
  }
}

function encodeRecord(record: Uint8Array, rows: SlotRows, row: number): void {
  const view = viewOf(record)
  view.setUint32(0, MAGIC, true)
  view.setUint32(4, rows.lengths[row]!, true)
  view.setBigUint64(8, BigInt(rows.generations[row]!), true)
  record.set(hashOf(rows.hashes, row), 16)
  record.set(hashOf(rows.parents, row), 32)
  view.setUint32(48, rows.positions[row]!, true)
  view.setUint32(52, rows.checksums[row]!, true)
  view.setUint32(60, crc32c(record.subarray(0, CHECKED_BYTES)), true)
}

/** Reads a table in parts: `add` each of them in order, then take the `result`. */
export class SlotScan {
  readonly #found: Array<{ readonly slot: number; readonly generation: number; readonly record: Uint8Array }> = []
  #slots = 0
  #damaged = 0

  /** Whole records; what is left over at the end of the part is none. */
  add(part: Uint8Array): void {
    for (let at = 0; at + RECORD_BYTES <= part.length; at += RECORD_BYTES) {
      this.#addRecord(part.subarray(at, at + RECORD_BYTES), this.#slots++)
    }
  }

  result(): SlotRecords {
    const found = this.#found.sort((a, b) => a.generation - b.generation)
    const field = (offset: number) => Uint32Array.from(found, ({ record }) => viewOf(record).getUint32(offset, true))
    return {
      count: found.length,
      slots: Uint32Array.from(found, ({ slot }) => slot),
      generations: Float64Array.from(found, ({ generation }) => generation),
      hashes: this.#hashes(16),
      parents: this.#hashes(32),
      positions: field(48),
      lengths: field(4),
      checksums: field(52),
      damaged: this.#damaged,
    }
  }

  #addRecord(record: Uint8Array, slot: number): void {
    if (record.every((byte) => byte === 0)) return
    if (isWhole(record)) this.#found.push({ slot, generation: Number(viewOf(record).getBigUint64(8, true)), record })
    else this.#damaged++
  }

  #hashes(offset: number): Uint32Array {
    const bytes = new Uint8Array(this.#found.length * HASH_BYTES)
    for (const [row, { record }] of this.#found.entries()) {
      bytes.set(record.subarray(offset, offset + HASH_BYTES), row * HASH_BYTES)
    }
    return new Uint32Array(bytes.buffer)
  }
}

function isWhole(record: Uint8Array): boolean {
  const view = viewOf(record)
  const isRecord = view.getUint32(0, true) === MAGIC && view.getBigUint64(8, true) <= GENERATION_MAX
  return isRecord && view.getUint32(60, true) === crc32c(record.subarray(0, CHECKED_BYTES))
}

function viewOf(record: Uint8Array): DataView {
  return new DataView(record.buffer, record.byteOffset, RECORD_BYTES)
}

function hashOf(words: Uint32Array, row: number): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset + row * HASH_BYTES, HASH_BYTES)
}
