import { WORDS_PER_HASH } from '@kvbm/core'
import type { SlotRecords } from '@kvbm/native'

/**
 * The records a pool can take back: every hash once. A block that was evicted and cached again in another slot has two valid
 * records until its first slot is used again; the newer one counts. Order stays: ascending generation.
 */
export function restorable(records: SlotRecords): SlotRecords {
  const seen = new Set<string>()
  const kept: number[] = []
  for (let row = records.count - 1; row >= 0; row--) {
    const key = String.fromCharCode(
      ...new Uint16Array(records.hashes.slice(row * WORDS_PER_HASH, (row + 1) * WORDS_PER_HASH).buffer),
    )
    if (seen.has(key)) continue
    seen.add(key)
    kept.push(row)
  }
  if (kept.length === records.count) return records
  return selectRows(records, kept.reverse())
}

function selectRows(records: SlotRecords, rows: readonly number[]): SlotRecords {
  const words = (from: Uint32Array): Uint32Array =>
    Uint32Array.from(rows.flatMap((row) => Array.from(from.subarray(row * WORDS_PER_HASH, (row + 1) * WORDS_PER_HASH))))
  const numbers = (from: Uint32Array): Uint32Array => Uint32Array.from(rows, (row) => from[row]!)
  return {
    count: rows.length,
    slots: numbers(records.slots),
    generations: Float64Array.from(rows, (row) => records.generations[row]!),
    hashes: words(records.hashes),
    parents: words(records.parents),
    positions: numbers(records.positions),
    lengths: numbers(records.lengths),
    checksums: numbers(records.checksums),
    damaged: records.damaged,
  }
}
