import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { BlockPool, type LeakMode } from '../src/index.js'
import { chain, counted } from './world.js'

/** Forgets handles of every kind: 3 unnamed blocks, 2 complete ones, 4 named ones, a second handle on these. */
function leakSome(pool: BlockPool): void {
  pool.allocate(3)
  pool.allocate(2).complete(chain([8, 9]))
  pool.allocate(4).register(counted(4)).retain()
}

/** Collects garbage until `done`, at most so often: finalizers run some turns after a collection. */
async function collectUntil(done: () => boolean): Promise<void> {
  for (let round = 0; round < 50 && !done(); round++) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function watched(leaks: LeakMode): BlockPool {
  return new BlockPool({ numBlocks: 32, pageSize: 16, leaks })
}

describe('a handle lost without release', () => {
  const warn = vi.fn<(message: string, options: { code: string; detail?: string }) => void>()
  beforeEach(() => void vi.spyOn(process, 'emitWarning').mockImplementation(warn as never))
  afterEach(() => {
    vi.restoreAllMocks()
    warn.mockReset()
  })

  test('is run with --expose-gc, in a child process', () => {
    expect(globalThis.gc).toBeTypeOf('function')
  })

  test('is counted, warned of once per kind, and its blocks come back', async () => {
    const pool = watched('count')
    leakSome(pool)
    leakSome(pool)
    await collectUntil(() => pool.held === 0)
    expect([pool.held, pool.inactive, pool.free]).toEqual([0, 4, 28])
    expect(pool.stats().leaks).toBe(8)
    expect(warn.mock.calls.map(([message]) => message.split(' ')[0]).sort()).toEqual([
      'CompleteBlocks',
      'ImmutableBlocks',
      'MutableBlocks',
    ])
    expect(warn.mock.calls[0]?.[1]).toMatchObject({ code: 'KVBM_BLOCK_LEAKED' })
    pool.checkInvariants()
  })

  test('is warned of once per place when leaks are traced, with the place', async () => {
    const pool = watched('trace')
    const here = (): void => void pool.allocate(1)
    const there = (): void => void pool.allocate(1)
    for (let times = 0; times < 3; times++) here()
    there()
    await collectUntil(() => pool.stats().leaks === 4)
    expect(pool.stats().leaks).toBe(4)
    const places = warn.mock.calls.map(([, { detail }]) => detail ?? '')
    expect(places).toHaveLength(2)
    for (const place of places) expect(place).toContain('leaks.test.ts')
  })

  test('serves a waiter with what comes back', async () => {
    const pool = watched('count')
    ;(() => void pool.allocate(32))()
    let served = 0
    void pool.acquire(32).then(({ count }) => {
      served = count
    })
    await collectUntil(() => served > 0)
    expect(served).toBe(32)
  })

  test('is not taken for a leak when it was released, consumed or is still in use', async () => {
    const pool = watched('count')
    const kept = pool.allocate(2)
    pool
      .allocate(3)
      .register(counted(3))
      .split(1)
      .forEach((blocks) => {
        blocks.release()
      })
    ;(() => void pool.allocate(1))()
    await collectUntil(() => pool.stats().leaks > 0)
    expect([pool.stats().leaks, pool.held, kept.count]).toEqual([1, 2, 2])
  })

  test('is nobody’s business when leaks are off', async () => {
    const pool = watched('off')
    const sentinel = watched('count')
    leakSome(pool)
    ;(() => void sentinel.allocate(1))()
    await collectUntil(() => sentinel.stats().leaks > 0)
    expect(sentinel.stats().leaks).toBe(1)
    expect([pool.stats().leaks, pool.held]).toEqual([0, 9])
  })
})
