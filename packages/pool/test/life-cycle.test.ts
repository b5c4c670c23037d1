import { BlockConsumedError, BlockHashes, PoolExhaustedError } from '@kvbm/core'
import { describe, expect, test } from 'vitest'
import { BlockPool, type ImmutableBlocks, type MutableBlocks } from '../src/index.js'
import { chain, counted, world } from './world.js'

const snapshot = ({ free, inactive, held, quarantined }: BlockPool) => ({ free, inactive, held, quarantined })

describe('options', () => {
  test.each([0, -1, 1.5, Number.NaN, 2 ** 27 + 1])('numBlocks %s is refused (case 110)', (numBlocks) => {
    expect(() => new BlockPool({ numBlocks, pageSize: 16 })).toThrow(/^numBlocks: expected/)
  })

  test('a page size of 0 and a negative bound are refused (cases 110 and 113)', () => {
    expect(() => new BlockPool({ numBlocks: 1, pageSize: 0 })).toThrow('pageSize: expected a positive integer, got 0')
    expect(() => new BlockPool({ numBlocks: 1, pageSize: 1, waitersMax: -1 })).toThrow(/^waitersMax/)
  })

  test('a new pool has every block free', () => {
    const pool = new BlockPool({ numBlocks: 3, pageSize: 5, hashAlgorithm: 'xxh3', tier: 'host' })
    expect(snapshot(pool)).toEqual({ free: 3, inactive: 0, held: 0, quarantined: 0 })
    expect([pool.total, pool.available, pool.pageSize, pool.hashAlgorithm, pool.tier]).toEqual([
      3,
      3,
      5,
      'xxh3',
      'host',
    ])
  })
})

describe('allocate', () => {
  test('is all or nothing: 3 and 4 of 10, then 4 more are refused, and releasing restores the count (case 111)', () => {
    using here = world(10)
    const held = [here.pool.allocate(3), here.pool.allocate(4)]
    expect(() => here.pool.allocate(4)).toThrow(PoolExhaustedError)
    expect(here.pool.available).toBe(3)
    held.push(here.pool.allocate(3))
    expect(new Set(held.flatMap(({ ids }) => [...ids])).size).toBe(10)
    expect(() => here.pool.allocate(1)).toThrow(/1 requested, 0 of 10 available/)
    for (const blocks of held.reverse()) blocks.release()
    expect(here.pool.available).toBe(10)
  })

  test('exhaustion carries the numbers (cases 65 and 111)', () => {
    using here = world(2)
    using _held = here.pool.allocate(1)
    const refused = { code: 'KVBM_POOL_EXHAUSTED', requested: 2, available: 1, total: 2, waiting: 0 }
    expect(() => here.pool.allocate(2)).toThrow(expect.objectContaining(refused))
  })

  test('of none gives an empty handle with every transition (case 111)', () => {
    using here = world(1)
    const none = here.pool.allocate(0)
    expect([none.count, none.ids.length]).toEqual([0, 0])
    const registered = none.register(chain([]))
    expect(registered.retain().downgrade().upgrade().count).toBe(0)
    expect(registered.split(0).map(({ count }) => count)).toEqual([0, 0])
  })

  test.each([-1, 0.5, Number.NaN, '2' as unknown as number])('of %s blocks is refused', async (count) => {
    using here = world(4)
    expect(() => here.pool.allocate(count)).toThrow(RangeError)
    expect(() => here.pool.allocateUpTo(count)).toThrow(RangeError)
    await expect(here.pool.acquire(count)).rejects.toThrow(RangeError)
  })

  test('up to a number gives what there is', () => {
    using here = world(3)
    using some = here.pool.allocateUpTo(2)
    using rest = here.pool.allocateUpTo(5)
    using none = here.pool.allocateUpTo(5)
    expect([some.count, rest.count, none.count]).toEqual([2, 1, 0])
  })

  test('7 blocks: allocating one leaves 6, releasing it makes 7 at once (case 67)', () => {
    using here = world(7)
    const blocks = here.pool.allocate(1)
    expect(here.pool.available).toBe(6)
    blocks.release()
    expect(here.pool.available).toBe(7)
  })

  test('the block released last is handed out first', () => {
    using here = world(4)
    const blocks = here.pool.allocate(3)
    const [first] = blocks.ids
    blocks.release()
    expect([...here.pool.allocate(1).ids]).toEqual([first])
  })
})

describe('states', () => {
  test('every step has its place in the count (cases 62 and 112)', () => {
    using here = world(4)
    const mutable = here.pool.allocate(2)
    expect(snapshot(here.pool)).toEqual({ free: 2, inactive: 0, held: 2, quarantined: 0 })
    const complete = mutable.complete(counted(2))
    expect(snapshot(here.pool)).toEqual({ free: 2, inactive: 0, held: 2, quarantined: 0 })
    expect(here.pool.matchCount(counted(2))).toBe(0)
    const immutable = complete.register()
    expect(here.pool.matchCount(counted(2))).toBe(2)
    immutable.release()
    expect(snapshot(here.pool)).toEqual({ free: 2, inactive: 2, held: 0, quarantined: 0 })
    here.pool.allocate(4).release()
    expect(snapshot(here.pool)).toEqual({ free: 4, inactive: 0, held: 0, quarantined: 0 })
  })

  test('unnamed and complete blocks are free again after release (case 112)', () => {
    using here = world(2)
    here.pool.allocate(2).release()
    here.pool.allocate(2).complete(counted(2)).release()
    expect(here.pool.free).toBe(2)
    expect(here.pool.matchCount(counted(2))).toBe(0)
  })

  test('ids and names stay with their blocks through every transition (case 119)', () => {
    using here = world(4)
    const mutable = here.pool.allocate(4)
    const ids = [...mutable.ids]
    const complete = mutable.complete(counted(4))
    expect([...complete.ids]).toEqual(ids)
    const immutable = complete.register()
    expect([...immutable.ids]).toEqual(ids)
    expect(immutable.hashes.words).toEqual(counted(4).words)
    immutable.release()
    using again = here.pool.match(counted(4))
    expect([...again.ids]).toEqual(ids)
  })

  test('names of 64 bits go the whole way, to where the original has them (case 69)', () => {
    const name = 14643705804678351452n
    const [low, high] = [Number(name & 0xffffffffn), Number(name >> 32n)]
    const backing = Uint32Array.of(1337, 0, 0, 0, low, high, low, high)
    const hashes = new BlockHashes({ algorithm: 'xxh3', pageSize: 4, backing })
    using here = world(7, { pageSize: 4, hashAlgorithm: 'xxh3' })
    here.pool.allocate(1).complete(hashes).register().release()
    using found = here.pool.match(hashes)
    expect([found.count, found.hashes.lane(0, 0), here.pool.available]).toEqual([1, name, 6])
  })

  test('a handle is disposed at the end of its block', () => {
    using here = world(1)
    {
      using _blocks = here.pool.allocate(1)
      expect(here.pool.held).toBe(1)
    }
    expect(here.pool.held).toBe(0)
  })
})

describe('a transition that throws leaves its handle valid (cases 52, 54 and 112)', () => {
  const wrong: ReadonlyArray<[string, ReturnType<typeof counted>]> = [
    ['too few names', counted(1)],
    ['too many names', counted(3)],
    ['another page size', chain([1, 2], { pageSize: 32 })],
    ['another algorithm', chain([1, 2], { algorithm: 'xxh3' })],
  ]

  test.each(wrong)('%s', (_what, hashes) => {
    using here = world(2)
    const blocks = here.pool.allocate(2)
    expect(() => blocks.complete(hashes)).toThrow(RangeError)
    expect(() => blocks.register(hashes)).toThrow(RangeError)
    expect(blocks.register(counted(2)).count).toBe(2)
    expect(here.log).toEqual(['+1,2'])
  })

  test.each([-1, 3, 0.5])('split at %s', (at) => {
    using here = world(2)
    const blocks = here.pool.allocate(2)
    expect(() => blocks.split(at)).toThrow('at: expected an integer from 0 to 2')
    expect(blocks.split(2)[0].count).toBe(2)
  })

  test('messages name both sides', () => {
    using here = world(2)
    const blocks = here.pool.allocate(2)
    expect(() => blocks.complete(counted(3))).toThrow(
      'hashes.count: expected 2, one for each block of the handle, got 3',
    )
    expect(() => here.pool.match(chain([1], { pageSize: 4 }))).toThrow(
      'hashes.pageSize: expected 16, which the pool has',
    )
    expect(() => here.pool.scan(chain([1], { algorithm: 'xxh3' }))).toThrow(/^hashes.algorithm: expected 'sha256'/)
  })
})

describe('a consumed handle', () => {
  const uses: Readonly<Record<string, (blocks: MutableBlocks) => unknown>> = {
    ids: (blocks) => blocks.ids,
    complete: (blocks) => blocks.complete(counted(2)),
    register: (blocks) => blocks.register(counted(2)),
    split: (blocks) => blocks.split(1),
  }
  const ends: Readonly<Record<string, (blocks: MutableBlocks) => unknown>> = {
    'complete()': (blocks) => blocks.complete(counted(2)),
    'register()': (blocks) => blocks.register(counted(2)),
    'split()': (blocks) => blocks.split(1),
    'release()': (blocks) => blocks.release(),
  }
  const pairs = Object.keys(ends).flatMap((end) => Object.keys(uses).map((use) => [use, end] as const))

  test.each(pairs)('says so: %s after %s (case 52)', (use, end) => {
    using here = world(2)
    const blocks = here.pool.allocate(2)
    ends[end]!(blocks)
    expect(() => uses[use]!(blocks)).toThrow(BlockConsumedError)
    expect(() => uses[use]!(blocks)).toThrow(`MutableBlocks handle was consumed by ${end}`)
  })

  test('of filled or named blocks says so too, and names its transition (case 52)', () => {
    using here = world(4)
    const complete = here.pool.allocate(2).complete(counted(2))
    const immutable = complete.register()
    for (const use of [() => complete.register(), () => complete.hashes, () => complete.split(1)]) {
      expect(use).toThrow('CompleteBlocks handle was consumed by register()')
    }
    immutable.release()
    const calls = ['retain', 'downgrade', 'hashes', 'ids'] as const
    for (const name of calls) {
      const use = () => (typeof immutable[name] === 'function' ? (immutable[name] as () => unknown).call(immutable) : 0)
      expect(use).toThrow('ImmutableBlocks handle was consumed by release()')
    }
  })

  test('says what to do instead', () => {
    using here = world(2)
    const [registered, released] = here.pool.allocate(2).split(1)
    registered.register(counted(1))
    released.release()
    expect(() => registered.ids).toThrow('Use the handle that register() returned.')
    expect(() => released.ids).toThrow('Its blocks went back to the pool')
  })

  test('may be released again, which does nothing', () => {
    using here = world(2)
    const mutable = here.pool.allocate(2)
    const immutable = mutable.register(counted(2))
    mutable.release()
    mutable[Symbol.dispose]()
    expect(here.pool.held).toBe(2)
    immutable.release()
    immutable.release()
    expect(here.pool.inactive).toBe(2)
  })

  test('that is released late takes nothing from who found or got its blocks meanwhile (case 117)', () => {
    using here = world(2)
    const first = here.put(counted(1))
    first.release()
    const found = here.pool.match(counted(1))
    first.release()
    expect([here.pool.held, here.pool.inactive]).toEqual([1, 0])
    found.release()
    const others = here.pool.allocate(2)
    found.release()
    first[Symbol.dispose]()
    expect([here.pool.held, others.ids.length]).toEqual([2, 2])
  })

  test('still says how many blocks it had and of which pool', () => {
    using here = world(2)
    const blocks = here.pool.allocate(2)
    blocks.release()
    expect([blocks.count, blocks.pool]).toEqual([2, here.pool])
  })
})

describe('split and retain', () => {
  test('split keeps order, names, positions and parents', () => {
    using here = world(5)
    const [head, tail] = here.pool
      .allocate(5)
      .register(chain([1, 2, 3, 4, 5], { parent: 9, start: 7 }))
      .split(2)
    expect([head.count, tail.count, tail.hashes.start]).toEqual([2, 3, 9])
    expect([...tail.hashes.parent]).toEqual([2, 2, 2, 2])
    head.release()
    tail.release()
    expect(here.pool.inactive).toBe(5)
  })

  test('halves of unnamed and complete blocks live on their own', () => {
    using here = world(4)
    const [filled, dropped] = here.pool.allocate(4).split(3)
    dropped.release()
    const [first, second] = filled.complete(counted(3)).split(1)
    second.release()
    expect(first.register().count).toBe(1)
    expect(here.pool.scan(counted(3))).toEqual(Uint8Array.of(1, 0, 0))
    expect(here.pool.free).toBe(3)
  })

  test('blocks stay held until the last of several handles is released', () => {
    using here = world(2)
    const handles: ImmutableBlocks[] = [here.put(counted(2))]
    handles.push(handles[0]!.retain(), here.pool.match(counted(2)))
    for (const handle of handles) {
      expect(here.pool.held).toBe(2)
      handle.release()
    }
    expect(here.pool.inactive).toBe(2)
  })
})
