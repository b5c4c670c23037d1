import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BlockPool } from '../src/index.js'
import { textbookHits } from './textbook-lru.js'
import { chain } from './world.js'

/** Optional data: what `KVBM_TRACE` names, else a file beside the project. */
const BESIDE = new URL('../../../../shared/traces/mooncake_fast25_conversation_trace.jsonl.gz', import.meta.url)
const TRACE = process.env.KVBM_TRACE ?? fileURLToPath(BESIDE)

const skipped = existsSync(TRACE) ? '' : `SKIPPED, there is no trace ${TRACE} (KVBM_TRACE names another): `
if (skipped !== '') console.warn(`${skipped}hit ratios on a recorded trace`)

/** How the handles of one request are released: their recency must not depend on it. */
type ReleaseOrder = 'rest first' | 'prefix first' | 'single blocks, head first'

/** Requests one at a time: match, allocate what is missing as far as it goes, register, release all. */
function poolHits(requests: Iterable<readonly number[]>, capacity: number, order: ReleaseOrder): number {
  const pool = new BlockPool({ numBlocks: capacity, pageSize: 16, leaks: 'off' })
  for (const ids of requests) {
    const hashes = chain(ids.map((id) => id + 1))
    const found = pool.match(hashes)
    const room = pool.allocateUpTo(hashes.count - found.count)
    const fresh = room.register(hashes.subarray(found.count, found.count + room.count))
    if (order === 'rest first') for (const blocks of [fresh, found]) blocks.release()
    else if (order === 'prefix first') for (const blocks of [found, fresh]) blocks.release()
    else for (const blocks of [found, fresh]) releaseSingly(blocks)
  }
  pool.checkInvariants()
  return pool.stats().hits
}

function releaseSingly(blocks: ReturnType<BlockPool['match']>): void {
  let rest = blocks
  while (rest.count > 0) {
    const [first, others] = rest.split(1)
    first.release()
    rest = others
  }
  rest.release()
}

/** A tree of chats: every request is a path from the root, each node has its own name. */
const anyRequests = fc
  .array(fc.array(fc.nat({ max: 1 }), { minLength: 1, maxLength: 7 }), { maxLength: 60 })
  .map((paths) => {
    return paths.map((path) => path.map((_, depth) => Number.parseInt(`1${path.slice(0, depth + 1).join('')}`, 2)))
  })

describe('requests one at a time hit what a textbook LRU hits', () => {
  test.each<ReleaseOrder>(['rest first', 'prefix first', 'single blocks, head first'])('released %s', (order) => {
    fc.assert(
      fc.property(anyRequests, fc.integer({ min: 1, max: 24 }), (requests, capacity) => {
        expect(poolHits(requests, capacity, order)).toBe(textbookHits(requests, capacity))
      }),
      { numRuns: 500 },
    )
  })

  test.skipIf(skipped !== '')(`${skipped}on a recorded trace, with the published ratios`, () => {
    const lines = gunzipSync(readFileSync(TRACE)).toString().trim().split('\n')
    const requests = lines.map((line) => (JSON.parse(line) as { hash_ids: number[] }).hash_ids)
    const total = requests.reduce((sum, ids) => sum + ids.length, 0)
    for (const [capacity, percent] of [
      [1000, 4.45],
      [10_000, 21.16],
      [30_000, 32.57],
    ] as const) {
      const hits = poolHits(requests, capacity, 'rest first')
      expect(hits).toBe(textbookHits(requests, capacity))
      expect((100 * hits) / total).toBeCloseTo(percent, 2)
    }
  })
})
