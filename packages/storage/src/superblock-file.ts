import type { Binding } from '@kvbm/native'
import {
  COPY_BYTES,
  chooseCopy,
  type DecodedCopy,
  decodeCopy,
  encodeSuperblock,
  type Superblock,
} from './superblock.js'

/** What stands in both places of an open file: the copy that counts, or why none does. */
export async function readSuperblock(binding: Binding, region: number): Promise<DecodedCopy> {
  const first = decodeCopy(await binding.readFile(region, 0, COPY_BYTES), binding)
  const second = decodeCopy(await binding.readFile(region, COPY_BYTES, COPY_BYTES), binding)
  return chooseCopy(first, second)
}

/**
 * Writes the superblock twice, over both copies. Invariant: the copy with sequence s lies in place s mod 2, so the first
 * write never touches the copy that counts; whenever the process dies, that one or the new one is whole. Once both are
 * written, either may be damaged without loss. Returns what now counts.
 */
export async function writeSuperblock(binding: Binding, region: number, superblock: Superblock): Promise<Superblock> {
  const first = { ...superblock, sequence: superblock.sequence + 1 }
  const second = { ...superblock, sequence: superblock.sequence + 2 }
  await writeCopy(binding, region, first)
  await writeCopy(binding, region, second)
  return second
}

function writeCopy(binding: Binding, region: number, superblock: Superblock): Promise<void> {
  return binding.writeFile(region, (superblock.sequence % 2) * COPY_BYTES, encodeSuperblock(superblock, binding))
}
