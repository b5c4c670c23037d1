import type { PackedHashes } from '@kvbm/core'

/** The bytes that blocks of these names must have: any read can be judged without remembering what was written. */
export function bytesOf(hashes: PackedHashes, blockBytes: number): Buffer {
  return Buffer.concat(hashes.toHexArray().map((hex) => Buffer.alloc(blockBytes, `${hex}.`)))
}
