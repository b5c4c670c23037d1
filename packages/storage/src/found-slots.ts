import { WORDS_PER_HASH } from '@kvbm/core'
import { RECORD_BYTES } from './superblock.js'

/** Blocks and the records that named them, as parallel columns; hashes have four words a row. */
export interface FoundSlots {
  readonly slots: Uint32Array
  readonly hashes: Uint32Array
  readonly generations: Float64Array
  readonly checksums: Uint32Array
}

const LENGTH_OFFSET = 4
const GENERATION_OFFSET = 8
const HASH_OFFSET = 16
const CHECKSUM_OFFSET = 52
const MAGIC = 0x3153564b // 'KVS1'

/** How many of these blocks, from the first on, still have the records they were found by. `bytes`: a record for each. */
export function standingPrefix(bytes: Uint8Array, found: FoundSlots, slotBytes: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let row = 0
  while (row < found.slots.length && stands(view, found, row, slotBytes)) row++
  return row
}

/** How many records, from the first on, are byte for byte the same in both. */
export function samePrefix(before: Uint8Array, after: Uint8Array): number {
  for (let at = 0; at < before.length; at++) if (before[at] !== after[at]) return Math.floor(at / RECORD_BYTES)
  return before.length / RECORD_BYTES
}

function stands(view: DataView, { hashes, generations, checksums }: FoundSlots, row: number, length: number): boolean {
  const at = row * RECORD_BYTES
  if (view.getUint32(at, true) !== MAGIC || view.getUint32(at + LENGTH_OFFSET, true) !== length) return false
  if (Number(view.getBigUint64(at + GENERATION_OFFSET, true)) !== generations[row]) return false
  for (let word = 0; word < WORDS_PER_HASH; word++)
    if (view.getUint32(at + HASH_OFFSET + word * 4, true) !== hashes[row * WORDS_PER_HASH + word]) return false
  return view.getUint32(at + CHECKSUM_OFFSET, true) === checksums[row]
}
