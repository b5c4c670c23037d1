import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { BlockPool } from '@kvbm/pool'
import { hashTokens } from '@kvbm/tokens'
import { expect, test } from 'vitest'
import { tokensOf } from '../src/block-content.js'
import { openCache } from '../src/cache.js'
import { openRequests } from '../src/requests.js'
import { Server } from '../src/server.js'
import { Stages } from '../src/stages.js'
import { lruHitRatio } from './lru-oracle.js'

const TRACE = fileURLToPath(
  new URL('../../../../shared/traces/mooncake_fast25_conversation_trace.jsonl.gz', import.meta.url),
)

async function idsOf(trace: string | undefined, requests: number): Promise<readonly number[][]> {
  const ids: number[][] = []
  for (const request of await openRequests({ trace, seed: 7, requests })) ids.push([...request.hashIds])
  return ids
}

/** The whole stack with one host tier. */
async function servedHitRatio(
  trace: string | undefined,
  requests: number,
  hostBlocks: number,
): Promise<{ ratio: number; wrong: number }> {
  const manager = await openCache({ deviceBlocks: 0, hostBlocks, diskBlocks: 0, blockBytes: 4096, dir: '' })
  try {
    const server = new Server(manager, new Stages())
    let seen = 0
    let hit = 0
    let wrong = 0
    for (const request of await openRequests({ trace, seed: 7, requests })) {
      const served = await server.serve(request)
      seen += served.seen
      hit += served.hit
      wrong += served.wrong
    }
    return { ratio: hit / seen, wrong }
  } finally {
    await manager.close()
  }
}

test('one tier hits what an independent LRU simulation hits, to four digits: generated chats', async () => {
  const ids = await idsOf(undefined, 1500)
  for (const capacity of [50, 1000, 5000]) {
    const { ratio, wrong } = await servedHitRatio(undefined, 1500, capacity)
    expect(ratio).toBeCloseTo(lruHitRatio(ids, capacity), 4)
    expect(wrong).toBe(0)
  }
})

test.runIf(existsSync(TRACE))(
  'one tier hits what an independent LRU simulation hits, to four digits: recorded trace',
  async () => {
    const capacity = 10_000
    const { ratio, wrong } = await servedHitRatio(TRACE, Number.MAX_SAFE_INTEGER, capacity)
    expect(ratio).toBeCloseTo(lruHitRatio(await idsOf(TRACE, Number.MAX_SAFE_INTEGER), capacity), 4)
    expect(ratio).toBeCloseTo(0.2116, 4)
    expect(wrong).toBe(0)
  },
)

test.runIf(!existsSync(TRACE))(
  'SKIPPED recorded trace: there is no Mooncake conversation trace beside the project (optional test data)',
  () => {
    expect(existsSync(TRACE)).toBe(false)
  },
)

test('the pool alone hits the same', async () => {
  const ids = await idsOf(undefined, 800)
  const pool = new BlockPool({ numBlocks: 2000, pageSize: 16 })
  let seen = 0
  let hit = 0
  for (const request of ids) {
    const hashes = hashTokens(tokensOf(request, 16), { pageSize: 16 })
    using found = pool.match(hashes)
    using fresh = pool
      .allocateUpTo(hashes.count - found.count)
      .register(hashes.subarray(found.count, found.count + Math.min(hashes.count - found.count, 2000)))
    seen += hashes.count
    hit += found.count
    expect(fresh.count).toBe(hashes.count - found.count)
  }
  expect(hit / seen).toBeCloseTo(lruHitRatio(ids, 2000), 4)
})
