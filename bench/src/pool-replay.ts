import type { BlockHashes } from '@kvbm/core'
import { BlockPool } from '@kvbm/pool'
import { hashTokens } from '@kvbm/tokens'
import { LRUCache } from 'lru-cache'
import { chatRequests } from './chat-blocks.js'
import type { Subject } from './harness.js'

const REQUESTS = 12_000
const CAPACITY = 10_000
const PAGE_SIZE = 16

function tokensOf(ids: readonly number[]): Uint32Array {
  const tokens = new Uint32Array(ids.length * PAGE_SIZE)
  for (const [index, id] of ids.entries()) tokens[index * PAGE_SIZE] = id
  return tokens
}

/** Look up, then touch or insert, with eviction: every block of every request. */
function replayPool(requests: readonly BlockHashes[]): number {
  const pool = new BlockPool({ numBlocks: CAPACITY, pageSize: PAGE_SIZE, leaks: 'off' })
  let blocks = 0
  for (const hashes of requests) {
    const found = pool.match(hashes)
    const fresh = pool.allocate(hashes.count - found.count).register(hashes.subarray(found.count))
    fresh.release()
    found.release()
    blocks += hashes.count
  }
  pool.close()
  return blocks
}

/** The same with a general-purpose LRU map: leading run of known keys, then set from tail to head. */
function replayLruCache(requests: readonly string[][]): number {
  const cache = new LRUCache<string, number>({ max: CAPACITY })
  let blocks = 0
  for (const keys of requests) {
    let found = 0
    while (found < keys.length && cache.has(keys[found]!)) found++
    for (let index = keys.length - 1; index >= 0; index--) {
      if (index < found) cache.get(keys[index]!)
      else cache.set(keys[index]!, index)
    }
    blocks += keys.length
  }
  return blocks
}

export function poolReplay(): Subject {
  const hashes = chatRequests(REQUESTS).map((ids) => hashTokens(tokensOf(ids), { pageSize: PAGE_SIZE }))
  const keys = hashes.map((request) => request.toHexArray())
  return {
    name: 'pool replay',
    work: `${REQUESTS} chat requests through ${CAPACITY} blocks: match, allocate, register, release`,
    unit: 'blocks/s',
    contenders: [
      { name: '@kvbm/pool (reference counts, 128-bit hashes)', run: () => replayPool(hashes) },
      { name: 'lru-cache (string keys, nothing held)', run: () => replayLruCache(keys) },
    ],
  }
}
