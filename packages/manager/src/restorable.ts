import { WORDS_PER_HASH } from '@kvbm/core'
import type { SlotRecords } from '@kvbm/native'
import { hashKey } from './hash-key.js'

/**
 * The records a pool can take back: every hash once. A block that was evicted and cached again in another slot has two valid
 * records until its first slot is used again; the newer one counts. Order stays: ascending generation.
 */
export function restorable(records: SlotRecords): SlotRecords {
  const seen = new Set<string>()
  const kept: number[] = []
  for (let row = records.count - 1; row >= 0; row--) {
    const key = hashKey(records.hashes, row)
    if (seen.has(key)) continue
    seen.add(key)
    kept.push(row)
  }
  return kept.length === records.count ? records : selectRows(records, kept.reverse())
}

function selectRows(records: SlotRecords, rows: readonly number[]): SlotRecords {
  const numbers = (from: Uint32Array): Uint32Array => Uint32Array.from(rows, (row) => from[row]!)
  return {
    count: rows.length,
    slots: numbers(records.slots),
    generations: Float64Array.from(rows, (row) => records.generations[row]!),
    hashes: selectWords(records.hashes, rows),
    parents: selectWords(records.parents, rows),
    positions: numbers(records.positions),
    lengths: numbers(records.lengths),
    checksums: numbers(records.checksums),
    damaged: records.damaged,
  }
}

function selectWords(words: Uint32Array, rows: readonly number[]): Uint32Array {
  const selected = new Uint32Array(rows.length * WORDS_PER_HASH)
  for (const [index, row] of rows.entries())
    selected.set(words.subarray(row * WORDS_PER_HASH, (row + 1) * WORDS_PER_HASH), index * WORDS_PER_HASH)
  return selected
}
