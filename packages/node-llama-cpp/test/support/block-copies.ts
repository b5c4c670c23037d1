import type { RestorePlan } from '../../src/index.js'

/** What `BlockScatter.scatter` does, in memory: pieces of a file into blocks. */
export function scatter(pieces: Float64Array, from: Uint8Array, blocks: Uint8Array[]): void {
  for (let row = 0; row < pieces.length; row += 4) {
    const [block, inBlock, offset, length] = pieces.subarray(row, row + 4) as unknown as [
      number,
      number,
      number,
      number,
    ]
    blocks[block]!.set(from.subarray(offset, offset + length), inBlock)
  }
}

/** What `BlockGather.gather` does, with the frame: a state file out of blocks. */
export function assemble(plan: RestorePlan, blocks: readonly Uint8Array[]): Uint8Array {
  const file = new Uint8Array(plan.sizeBytes)
  for (const { offset, bytes } of plan.frame) file.set(bytes, offset)
  for (let row = 0; row < plan.pieces.length; row += 4) {
    const [block, inBlock, offset, length] = plan.pieces.subarray(row, row + 4) as unknown as [
      number,
      number,
      number,
      number,
    ]
    file.set(blocks[block]!.subarray(inBlock, inBlock + length), offset)
  }
  return file
}

/** Empty blocks, filled with a byte that no test expects. */
export function emptyBlocks(count: number, blockBytes: number): Uint8Array[] {
  return Array.from({ length: count }, () => new Uint8Array(blockBytes).fill(0xdd))
}
