import { BlockHashes, type HashAlgorithm, HashIndex, invalidArgument, WORDS_PER_HASH } from '@kvbm/core'
import { type BlockTable, FREE, PRIMARY } from './block-table.js'

/**
 * Cached blocks of an earlier process. Columns are by block id, a row for every block of the pool, and only rows of `ids` count.
 * The pool takes all of them over: whoever gives them does not use them any more.
 */
export interface RestoredBlocks {
  /**
   * Blocks to restore in the order of eviction: least recently used first, but none before a child of it. That order is trusted, like
   * `index`: a parent that is evicted too early leaves children that nobody can find.
   */
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

/** Makes primaries of free blocks. Where that is refused nothing has changed. */
export function claim(ids: Uint32Array, table: BlockTable): void {
  const { state } = table
  for (let row = 0; row < ids.length; row++) {
    const id = ids[row]!
    if (state[id] !== FREE) {
      const refusal = whyNotFree(row, id, table)
      unclaim(ids.subarray(0, row), table)
      throw refusal
    }
    state[id] = PRIMARY
  }
}

export function unclaim(ids: Uint32Array, { state }: BlockTable): void {
  for (const id of ids) state[id] = FREE
}

function whyNotFree(row: number, id: number, { state, count }: BlockTable): RangeError {
  const argument = `ids[${row}]`
  if (id >= count) return invalidArgument(argument, `a block id from 0 to ${count - 1}`, id)
  // The pool was empty before.
  if (state[id] === PRIMARY) return invalidArgument(argument, 'every id once', id)
  return invalidArgument(argument, 'a free block, not one in quarantine', id)
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
