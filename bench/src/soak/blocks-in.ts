import { closeSync, openSync, readSync } from 'node:fs'
import type { Storage } from '@kvbm/core'
import type { ScratchFile } from '@kvbm/storage'

/** Where blocks lie in a hand-over file: rows of four numbers, as `BlockBytes` of core describes them. */
export interface BlocksInFile {
  readonly pieces: Float64Array
  readonly storage: Storage
  readonly blockBytes: number
  /** By block: whether it is read. */
  readonly wanted: readonly boolean[]
}

/** Reads blocks out of the file through which they pass, as the engine itself would: by its path. */
export function blocksIn({ pieces, storage, blockBytes, wanted }: BlocksInFile): Map<number, Buffer> {
  // This engine takes and gives its state through files only.
  const { path } = storage as ScratchFile
  const blocks = new Map<number, Buffer>()
  const file = openSync(path, 'r')
  try {
    for (let row = 0; row < pieces.length; row += 4) {
      const [block, offset, at, length] = pieces.subarray(row, row + 4) as unknown as [number, number, number, number]
      if (wanted[block] !== true) continue
      if (!blocks.has(block)) blocks.set(block, Buffer.alloc(blockBytes))
      readSync(file, blocks.get(block)!, offset, length, at)
    }
  } finally {
    closeSync(file)
  }
  return blocks
}
