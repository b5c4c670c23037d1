import { type BlockHashes, type HashAlgorithm, hashIndexEntries, invalidArgument, WORDS_PER_HASH } from '@kvbm/core'
import { type BlockTable, COMPLETE, MUTABLE } from './block-table.js'
import type { Custody } from './custody.js'
import type { RestoredBlocks } from './restore.js'

/** Hashes of another algorithm or page size name other blocks, even if their words were equal. */
export function checkCompatible(pool: { pageSize: number; hashAlgorithm: HashAlgorithm }, hashes: BlockHashes): void {
  if (!(hashes?.words instanceof Uint32Array))
    throw invalidArgument('hashes', 'BlockHashes, as hash() gives them', hashes)
  if (hashes.algorithm !== pool.hashAlgorithm) {
    throw invalidArgument('hashes.algorithm', `'${pool.hashAlgorithm}', which the pool has`, hashes.algorithm)
  }
  if (hashes.pageSize !== pool.pageSize) {
    throw invalidArgument('hashes.pageSize', `${pool.pageSize}, which the pool has`, hashes.pageSize)
  }
}

/** One hash for each block, and blocks that nobody took out of use meanwhile. */
export function checkNameable(table: BlockTable, ids: Uint32Array, hashes: BlockHashes): void {
  if (hashes.count !== ids.length) {
    throw invalidArgument('hashes.count', `${ids.length}, one for each block of the handle`, hashes.count)
  }
  for (let index = 0; index < ids.length; index++) {
    const state = table.state[ids[index]!]
    if (state === MUTABLE || state === COMPLETE) continue
    throw new RangeError(
      `blocks: block ${ids[index]} (index ${index}) was discarded. Split the run and release that block.`,
    )
  }
}

export function checkIds(table: BlockTable, ids: Uint32Array): void {
  for (let index = 0; index < ids.length; index++) {
    const id = ids[index]!
    if (!(id < table.count)) throw invalidArgument(`ids[${index}]`, `a block id from 0 to ${table.count - 1}`, id)
  }
}

export function checkRestorable(custody: Custody, { hashes, parents, positions, index }: RestoredBlocks): void {
  if (custody.held + custody.inactiveList.size > 0) {
    throw invalidArgument(
      'pool',
      'an empty pool to restore into',
      `${custody.held + custody.inactiveList.size} blocks in use`,
    )
  }
  const total = custody.table.count
  for (const [name, words] of Object.entries({ hashes, parents })) {
    if (words.length !== total * WORDS_PER_HASH)
      throw invalidArgument(`${name}.length`, `4 × ${total}, the blocks of the pool`, words.length)
  }
  if (positions.length !== total)
    throw invalidArgument('positions.length', `${total}, the blocks of the pool`, positions.length)
  if (index !== undefined && index.length !== hashIndexEntries(total))
    throw invalidArgument('index.length', `${hashIndexEntries(total)}, as a HashIndex of ${total} blocks`, index.length)
}
