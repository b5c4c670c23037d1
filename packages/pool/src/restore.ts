import { BlockHashes, type HashAlgorithm, HashIndex, WORDS_PER_HASH } from '@kvbm/core'
import type { BlockTable } from './block-table.js'

/**
 * Cached blocks of an earlier process. Columns are by block id, a row for every block of the pool, and only rows of `ids` count.
 * The pool takes columns and index over: whoever gives them does not use them any more.
 */
export interface RestoredBlocks {
  /** Blocks to restore, least recently used first. */
  readonly ids: Uint32Array
  /** Four words per row, like `parents`. */
  readonly hashes: Uint32Array
  readonly parents: Uint32Array
  /** Position of each block in its sequence, in blocks. */
  readonly positions: Uint32Array
  /** Entries of a `HashIndex` of core over `hashes` that has exactly `ids`: trusted. Made here where there is none. */
  readonly index?: Uint32Array | undefined
}

/** An index of restored blocks, or the first row of `ids` whose hash stands twice. */
export function indexOf({ ids, hashes, index }: RestoredBlocks): HashIndex | number {
  if (index !== undefined) return new HashIndex(hashes, { entries: index, size: ids.length })
  const made = new HashIndex(hashes)
  for (let row = 0; row < ids.length; row++) {
    if (made.find(hashes, ids[row]! * WORDS_PER_HASH) >= 0) return row
    made.insert(ids[row]!)
  }
  return made
}

/**
 * The blocks from most recent to oldest, given from oldest to most recent, where a parent is at least as recent as its children:
 * before a block is placed, those of its ancestors that are not placed yet are, the root first. Blocks written head first come
 * back with the tail to be evicted first; an order that is right already stays as it is.
 */
export function recentFirst(ids: Uint32Array, table: BlockTable, index: HashIndex): Uint32Array {
  const order = new Uint32Array(ids.length)
  const isPlaced = new Uint8Array(table.count)
  let size = 0
  for (let last = ids.length - 1; last >= 0; last--) {
    const from = size
    // The parent mostly is the block that was written right before: as long as it is, none is looked up.
    let row = last
    for (let id = ids[last]!; id >= 0 && isPlaced[id] === 0; row--) {
      isPlaced[id] = 1
      order[size++] = id
      if (table.positions[id] === 0) break
      const before = row > 0 ? ids[row - 1]! : -1
      if (before >= 0 && table.isParent(before, id)) id = before
      else {
        id = registeredParent(table, index, id)
        row = 0
      }
    }
    reverse(order, { from, to: size })
  }
  return order
}

/** The registered block that is the parent of `id`, or −1. */
function registeredParent(table: BlockTable, index: HashIndex, id: number): number {
  const parent = index.find(table.parents, id * WORDS_PER_HASH)
  return parent >= 0 && table.isParent(parent, id) ? parent : -1
}

function reverse(ids: Uint32Array, { from, to }: { readonly from: number; readonly to: number }): void {
  for (let left = from, right = to - 1; left < right; left++, right--) {
    const id = ids[left]!
    ids[left] = ids[right]!
    ids[right] = id
  }
}

/** Names of `ids` as runs of consecutive blocks of one chain, in the order given. */
export function* chains(
  table: BlockTable,
  ids: Uint32Array,
  kind: { algorithm: HashAlgorithm; pageSize: number },
): Generator<BlockHashes> {
  for (let from = 0, to = 0; from < ids.length; from = to) {
    for (to = from + 1; to < ids.length && table.isParent(ids[to - 1]!, ids[to]!); ) to++
    yield chain(table, ids.subarray(from, to), kind)
  }
}

function chain(table: BlockTable, ids: Uint32Array, kind: { algorithm: HashAlgorithm; pageSize: number }): BlockHashes {
  const backing = new Uint32Array((ids.length + 1) * WORDS_PER_HASH)
  const first = ids[0]!
  backing.set(table.parents.subarray(first * WORDS_PER_HASH, (first + 1) * WORDS_PER_HASH))
  for (let index = 0; index < ids.length; index++) table.readHash(ids[index]!, backing, (index + 1) * WORDS_PER_HASH)
  return new BlockHashes({ ...kind, backing, start: table.positions[first]! })
}
