import { invalidArgument, WORDS_PER_HASH } from '@kvbm/core'
import type { SlotRecords } from '@kvbm/native'

/** What a commit names: parallel columns; hashes and parents have 4 words a row, positions count blocks. */
export interface CommitRows {
  readonly slots: Uint32Array
  readonly hashes: Uint32Array
  readonly parents: Uint32Array
  readonly positions: Uint32Array
  readonly checksums: Uint32Array
}

/** Throws `RangeError` unless the columns are equally long. */
export function checkRows(rows: CommitRows): void {
  const count = rows.slots.length
  for (const name of ['positions', 'checksums'] as const) checkLength(name, rows[name].length, count)
  for (const name of ['hashes', 'parents'] as const) checkLength(name, rows[name].length, count * WORDS_PER_HASH)
}

function checkLength(name: string, actual: number, expected: number): void {
  if (actual !== expected) throw invalidArgument(`rows.${name}.length`, `${expected}`, actual)
}

/** Indices of the records that `keep` accepts and of those that it does not. */
export function partitionRecords(
  records: SlotRecords,
  keep: (slot: number, length: number) => boolean,
): { kept: Uint32Array; dropped: Uint32Array } {
  const kept: number[] = []
  const dropped: number[] = []
  for (let index = 0; index < records.count; index++) {
    const list = keep(records.slots[index]!, records.lengths[index]!) ? kept : dropped
    list.push(index)
  }
  return { kept: Uint32Array.from(kept), dropped: Uint32Array.from(dropped) }
}

/** The records of these indices, in their order. */
export function selectRecords(records: SlotRecords, indices: Uint32Array): SlotRecords {
  if (indices.length === records.count) return records
  const column = (values: Uint32Array): Uint32Array => indices.map((index) => values[index]!)
  return {
    count: indices.length,
    slots: column(records.slots),
    generations: Float64Array.from(indices, (index) => records.generations[index]!),
    hashes: selectWords(records.hashes, indices),
    parents: selectWords(records.parents, indices),
    positions: column(records.positions),
    lengths: column(records.lengths),
    checksums: column(records.checksums),
    damaged: records.damaged,
  }
}

function selectWords(words: Uint32Array, indices: Uint32Array): Uint32Array {
  const selected = new Uint32Array(indices.length * WORDS_PER_HASH)
  indices.forEach((index, row) => {
    selected.set(words.subarray(index * WORDS_PER_HASH, (index + 1) * WORDS_PER_HASH), row * WORDS_PER_HASH)
  })
  return selected
}

/** One above the highest generation found; records are ascending. */
export function nextGeneration(records: SlotRecords): number {
  return records.count === 0 ? 1 : records.generations[records.count - 1]! + 1
}
