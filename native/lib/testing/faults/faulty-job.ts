import type { TransferJob, TransposedTable } from '@kvbm/core'
import type { Touch } from './fault.js'

const RUN_FIELDS = 5

/** A job whose rows nobody can change any more. */
export function copyOfJob({ sums, ...job }: TransferJob): TransferJob {
  const copied = { ...job, runs: job.runs.slice() }
  return sums === undefined ? copied : { ...copied, sums: { ...sums, pieces: sums.pieces.slice() } }
}

/** What a job reads and writes; summing reads. */
export function touchesOfJob({ runs, sums }: TransferJob): Touch[] {
  const [read, written] = [new Set<number>(), new Set<number>()]
  for (let row = 0; row + RUN_FIELDS <= runs.length; row += RUN_FIELDS) {
    read.add(runs[row]!)
    written.add(runs[row + 2]!)
  }
  for (let row = 0; row < (sums?.pieces.length ?? 0); row += 4) read.add(sums!.pieces[row + 1]!)
  return [
    ...[...read].map((region) => ({ operation: 'read' as const, region })),
    ...[...written].map((region) => ({ operation: 'write' as const, region })),
  ]
}

/** The part of a job that moves the first `bytes` bytes; of tables only whole ones, for others cannot be transposed. */
export function firstBytes({ runs, transpose }: TransferJob, bytes: number): TransferJob {
  if (transpose !== undefined)
    return { runs: runs.slice(0, Math.floor(bytes / bytesOf(transpose)) * RUN_FIELDS), transpose }
  const cut = runs.slice()
  let left = bytes
  for (let row = 0; row < cut.length; row += RUN_FIELDS) {
    cut[row + 4] = Math.min(left, cut[row + 4]!)
    left -= cut[row + 4]!
  }
  return { runs: cut }
}

function bytesOf({ rows, columns, cellBytes }: TransposedTable): number {
  return rows * columns * cellBytes
}

/** Where a bit of the moved bytes arrives; undefined beyond the last. */
export function placeOfBit(runs: Float64Array, bit: number): { region: number; offset: number } | undefined {
  let byte = Math.floor(bit / 8)
  for (let row = 0; row < runs.length; row += RUN_FIELDS) {
    const length = runs[row + 4]!
    if (byte < length) return { region: runs[row + 2]!, offset: runs[row + 3]! + byte }
    byte -= length
  }
  return undefined
}
