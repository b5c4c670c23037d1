import { ClosedError, DeadlineError, PoolExhaustedError } from '@kvbm/core'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { BlockPool, MutableBlocks } from '../src/index.js'
import { counted, type World, world } from './world.js'

/** Remembers in which order callers got their blocks. */
class Callers {
  readonly served: string[] = []
  readonly blocks = new Map<string, MutableBlocks>()
  readonly #pool: BlockPool

  constructor(pool: BlockPool) {
    this.#pool = pool
  }

  async acquire(
    name: string,
    count: number,
    options: { signal?: AbortSignal; deadlineMs?: number } = {},
  ): Promise<void> {
    this.blocks.set(name, await this.#pool.acquire(count, options))
    this.served.push(name)
  }
}

/** Lets promises that are settled tell their callers. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function crowd(numBlocks: number, waitersMax?: number): { here: World; callers: Callers; held: MutableBlocks } {
  const here = world(numBlocks, waitersMax === undefined ? {} : { waitersMax })
  return { here, callers: new Callers(here.pool), held: here.pool.allocate(numBlocks) }
}

describe('acquire', () => {
  test('gives at once what is there', async () => {
    using here = world(4)
    using blocks = await here.pool.acquire(3)
    expect([blocks.count, here.pool.held, here.pool.stats().waits]).toEqual([3, 3, 0])
  })

  test('a released block is reusable by the next waiter, first come first served', async () => {
    const { here, callers, held } = crowd(3)
    const [one, rest] = held.split(1)
    const all = [callers.acquire('a', 1), callers.acquire('b', 1), callers.acquire('c', 1)]
    expect(here.pool.waiting).toBe(3)
    one.release()
    await turn()
    expect(callers.served).toEqual(['a'])
    rest.release()
    await Promise.all(all)
    expect(callers.served).toEqual(['a', 'b', 'c'])
  })

  test('a later small request never overtakes an earlier large one', async () => {
    const { here, callers, held } = crowd(4)
    const all = [callers.acquire('large', 3), callers.acquire('small', 1)]
    const [two, others] = held.split(2)
    two.release()
    await turn()
    expect([callers.served, here.pool.available]).toEqual([[], 2])
    others.release()
    await Promise.all(all)
    expect(callers.served).toEqual(['large', 'small'])
  })

  test('synchronous callers do not take what comes back for those who wait', async () => {
    const { here, callers, held } = crowd(4)
    const waiting = callers.acquire('waiter', 3)
    const [two, others] = held.split(2)
    two.release()
    expect(here.pool.available).toBe(2)
    expect(() => here.pool.allocate(1)).toThrow(/1 requested, 2 of 4 available, 1 callers waiting/)
    expect(here.pool.allocateUpTo(1).count).toBe(0)
    expect(here.pool.allocate(0).count).toBe(0)
    others.release()
    await waiting
    expect(here.pool.allocate(1).count).toBe(1)
  })

  test('cached blocks that become inactive serve a waiter too', async () => {
    using here = world(2)
    const cached = here.put(counted(2))
    const waiting = here.pool.acquire(2)
    cached.release()
    expect((await waiting).count).toBe(2)
    expect(here.log).toEqual(['+1,2', '-2,1'])
  })

  test('one release may serve several', async () => {
    const { callers, held } = crowd(5)
    const all = [callers.acquire('a', 2), callers.acquire('b', 2), callers.acquire('c', 1)]
    held.release()
    await Promise.all(all)
    expect(callers.served).toEqual(['a', 'b', 'c'])
  })

  test('the number of waiters is bounded: one more is refused at once', async () => {
    const { here, callers, held } = crowd(1, 2)
    const all = [callers.acquire('a', 1), callers.acquire('b', 1)]
    const refused = here.pool.acquire(1)
    await expect(refused).rejects.toThrow(PoolExhaustedError)
    await expect(refused).rejects.toMatchObject({ waiting: 2, requested: 1 })
    held.release()
    await all[0]
    callers.blocks.get('a')?.release()
    await all[1]
  })

  test('more than the pool has is refused at once', async () => {
    using here = world(4)
    await expect(here.pool.acquire(5)).rejects.toThrow(/5 requested, 4 of 4 available/)
  })

  test('a waiter whose wish can no longer come true is refused when blocks go to quarantine', async () => {
    const { here, callers, held } = crowd(3)
    const tooMany = callers.acquire('three', 3)
    const enough = callers.acquire('two', 2)
    here.pool.discard(held.ids.subarray(0, 1), { reason: 'discarded', quarantine: true })
    held.release()
    await expect(tooMany).rejects.toThrow(PoolExhaustedError)
    await enough
    expect(here.pool.quarantined).toBe(1)
  })
})

describe('a wait ends', () => {
  test("with the signal's reason, and the next caller moves up", async () => {
    const { here, callers, held } = crowd(2)
    const controller = new AbortController()
    const large = callers.acquire('large', 2, { signal: controller.signal })
    const small = callers.acquire('small', 1)
    const [one, other] = held.split(1)
    one.release()
    const reason = new Error('the user went away')
    controller.abort(reason)
    await expect(large).rejects.toBe(reason)
    await small
    expect([callers.served, here.pool.waiting]).toEqual([['small'], 0])
    expect(here.pool.stats()).toMatchObject({ waits: 2, waitsFailed: 1 })
    other.release()
  })

  test('before it begins when the signal is aborted already, even if there are blocks', async () => {
    using here = world(2)
    const reason = new Error('too late')
    await expect(here.pool.acquire(1, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(here.pool.held).toBe(0)
  })

  test('not twice: aborting after blocks were given changes nothing', async () => {
    const { here, callers, held } = crowd(1)
    const controller = new AbortController()
    const waiting = callers.acquire('a', 1, { signal: controller.signal })
    held.release()
    controller.abort()
    await waiting
    expect(here.pool.held).toBe(1)
  })

  test('when the pool is closed, for everybody who waits', async () => {
    const { here, callers } = crowd(1)
    const all = [callers.acquire('a', 1), callers.acquire('b', 1)]
    here.pool.close()
    const outcomes = await Promise.allSettled(all)
    for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: expect.any(ClosedError) })
    await expect(here.pool.acquire(1)).rejects.toThrow(ClosedError)
  })

  test.each([-1, Number.NaN])('a deadline of %s is refused', async (deadlineMs) => {
    using here = world(1)
    await expect(here.pool.acquire(1, { deadlineMs })).rejects.toThrow(/^deadlineMs: expected/)
  })

  test('and keeps the process alive until its deadline, not longer', async () => {
    const { here, held } = crowd(1)
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const before = timers()
    const waiting = here.pool.acquire(1, { deadlineMs: 3_600_000 })
    expect(timers()).toBe(before + 1)
    held.release()
    await waiting
    expect(timers()).toBe(before)
  })

  describe('at its deadline', () => {
    beforeEach(() => void vi.useFakeTimers())
    afterEach(() => void vi.useRealTimers())

    test('and not before; the next caller moves up', async () => {
      const { here, callers, held } = crowd(2)
      const large = callers.acquire('large', 2, { deadlineMs: 100 })
      const outcome = expect(large).rejects.toThrow(DeadlineError)
      const small = callers.acquire('small', 1)
      held.split(1)[0].release()
      vi.advanceTimersByTime(99)
      expect(here.pool.waiting).toBe(2)
      vi.advanceTimersByTime(1)
      await outcome
      await small
      expect(callers.served).toEqual(['small'])
      await expect(large).rejects.toThrow('Waiting for 2 blocks did not finish within 100 ms')
    })

    test('of a distance no timer can hold without firing at once', async () => {
      const { here, held } = crowd(1)
      const waiting = here.pool.acquire(1, { deadlineMs: Number.POSITIVE_INFINITY })
      vi.advanceTimersByTime(1000)
      expect(here.pool.waiting).toBe(1)
      held.release()
      expect((await waiting).count).toBe(1)
      expect(vi.getTimerCount()).toBe(0)
    })
  })
})

test('a listener that releases blocks while a waiter is served serves nobody twice', async () => {
  const spare: MutableBlocks[] = []
  using here = world(3, { observer: { evicted: () => spare.pop()?.release() } })
  const cached = here.put(counted(1))
  spare.push(here.pool.allocate(1))
  const last = here.pool.allocate(1)
  const callers = new Callers(here.pool)
  const all = [callers.acquire('a', 1), callers.acquire('b', 1)]
  cached.release()
  await Promise.all(all)
  expect([callers.served, here.pool.held, here.pool.free]).toEqual([['a', 'b'], 3, 0])
  last.release()
})
