import type { Stats } from 'node:fs'
import { stat } from 'node:fs/promises'

/** What of a file is there: its size, and how many bytes before its end may have no space on the disk. */
export interface FileSpace {
  readonly sizeBytes: number
  readonly holeBytes: number
}

/** Bytes of a file, `end` not included. */
export interface FileRange {
  readonly begin: number
  readonly end: number
}

const NONE: FileSpace = { sizeBytes: 0, holeBytes: 0 }

/** Bytes that the file system spends on a file. Windows reports no blocks. */
export function allocatedBytes({ blocks, size }: Pick<Stats, 'blocks' | 'size'>): number {
  return Number.isFinite(blocks) && process.platform !== 'win32' ? blocks * 512 : size
}

/** A file that cannot be looked at has nothing. */
export async function fileSpace(path: string): Promise<FileSpace> {
  const stats = await stat(path).catch(() => undefined)
  if (stats === undefined) return NONE
  return { sizeBytes: stats.size, holeBytes: Math.max(0, stats.size - allocatedBytes(stats)) }
}

/** The most that these ranges may still take from the disk: all beyond the file's end, and before it no more than all holes. */
export function missingBytes(ranges: readonly FileRange[], { sizeBytes, holeBytes }: FileSpace): number {
  let [before, beyond] = [0, 0]
  for (const { begin, end } of ranges) {
    const over = Math.max(0, end - Math.max(begin, sizeBytes))
    beyond += over
    before += end - begin - over
  }
  return beyond + Math.min(before, holeBytes)
}
