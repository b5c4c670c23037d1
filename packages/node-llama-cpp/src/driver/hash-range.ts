import type { Hash } from 'node:crypto'
import { readSync } from 'node:fs'

/** Bytes of a file, from `from` on; fewer where the file ends. */
export interface FileRange {
  readonly from: number
  readonly length: number
}

/** Hashes a range of an open file. */
export function hashRange(hash: Hash, descriptor: number, { from, length }: FileRange): void {
  const bytes = new Uint8Array(length)
  hash.update(bytes.subarray(0, readSync(descriptor, bytes, 0, length, from)))
}
