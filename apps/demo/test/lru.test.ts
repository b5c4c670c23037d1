import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { openCache } from '../src/cache.js'
import { openRequests, type Requests } from '../src/requests.js'
import { StandInEngine } from '../src/stand-in-engine.js'
import { Tally } from '../src/tally.js'
import { lruHitRatio } from './lru-oracle.js'

/** Optional data: what `KVBM_TRACE` names, else a file beside the project. */
const BESIDE = new URL('../../../../shared/traces/mooncake_fast25_conversation_trace.jsonl.gz', import.meta.url)
const TRACE = process.env.KVBM_TRACE ?? fileURLToPath(BESIDE)
const skipped = existsSync(TRACE) ? '' : `SKIPPED, there is no trace ${TRACE} (KVBM_TRACE names another): `
if (skipped !== '') console.warn(`${skipped}hit ratios on a recorded trace`)

/** What the whole stack hits with one tier. */
async function serve(requests: Requests, hostBlocks: number): Promise<Tally> {
  await using manager = await openCache({ deviceBlocks: 0, hostBlocks, diskBlocks: 0, blockBytes: 4096, dir: '' })
  const engine = new StandInEngine(manager)
  const tally = new Tally()
  for (const request of requests) tally.add(await engine.serve(request), request.hashIds)
  return tally
}

async function expectLru(requests: Requests, numBlocks: number): Promise<void> {
  const { hit, seen, wrong, verified } = await serve(requests, numBlocks)
  expect(hit / seen).toBeCloseTo(lruHitRatio(requests, numBlocks), 4)
  expect([verified, wrong]).toEqual([hit, 0])
}

test.each([50, 1000, 5000])('one tier of %i blocks hits what an independent LRU simulation hits', async (numBlocks) => {
  await expectLru(await openRequests({ trace: undefined, seed: 7, requests: 1500 }), numBlocks)
})

test.skipIf(skipped !== '')(`${skipped}one tier hits what an independent LRU simulation hits`, async () => {
  const requests = await openRequests({ trace: TRACE, seed: 0, requests: Number.MAX_SAFE_INTEGER })
  for (const numBlocks of [1000, 10_000]) await expectLru(requests, numBlocks)
})
