import { BlockHashes, type HashAlgorithm, WORDS_PER_HASH } from '@kvbm/core'
import type { BlockTable } from './block-table.js'
import type { HashIndex } from './hash-index.js'

/** Cached blocks of an earlier process, least recently used first; rows of parallel arrays. */
export interface RestoredBlocks {
  readonly ids: Uint32Array
  /** Four words per block, like `parents`. */
  readonly hashes: Uint32Array
  readonly parents: Uint32Array
  /** Position of each block in its sequence, in blocks. */
  readonly positions: Uint32Array
}

/** Names free blocks of a pool without names. Returns the first row whose hash stands twice; then the index is empty again. */
export function nameRows(table: BlockTable, index: HashIndex, rows: RestoredBlocks): number | undefined {
  const backing = new Uint32Array(2 * WORDS_PER_HASH)
  for (const [row, id] of rows.ids.entries()) {
    const at = row * WORDS_PER_HASH
    if (index.find(rows.hashes, at) >= 0) {
      index.clear()
      return row
    }
    backing.set(rows.parents.subarray(at, at + WORDS_PER_HASH))
    backing.set(rows.hashes.subarray(at, at + WORDS_PER_HASH), WORDS_PER_HASH)
    table.name(id, backing, 0, rows.positions[row]!)
    index.insert(id)
  }
  return undefined
}

/** The registered block that is the parent of `id`, or −1. */
export function registeredParent(table: BlockTable, index: HashIndex, id: number): number {
  const parent = index.find(table.parents, id * WORDS_PER_HASH)
  return parent >= 0 && table.isParent(parent, id) ? parent : -1
}

/**
 * The blocks from most recent to oldest, given from oldest to most recent, where a parent is at least as recent as its children:
 * before a block is placed, those of its ancestors that are not placed yet are, the root first. Blocks written head first come
 * back with the tail to be evicted first; an order that is right already stays as it is.
 */
export function recentFirst(given: { ids: Uint32Array; parentOf: (id: number) => number }): Uint32Array {
  const order = new Uint32Array(given.ids.length)
  const placed = new Set<number>()
  const path: number[] = []
  let size = 0
  for (const last of given.ids.toReversed()) {
    for (let id = last; id >= 0 && !placed.has(id); id = given.parentOf(id)) {
      placed.add(id)
      path.push(id)
    }
    while (path.length > 0) order[size++] = path.pop()!
  }
  return order
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
  for (const [index, id] of ids.entries()) table.readHash(id, backing, (index + 1) * WORDS_PER_HASH)
  return new BlockHashes({ ...kind, backing, start: table.positions[first]! })
}
