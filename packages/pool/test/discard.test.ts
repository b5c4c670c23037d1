import { describe, expect, test } from 'vitest'
import type { BlockPool } from '../src/index.js'
import { chain, counted, world } from './world.js'

const counts = ({ free, inactive, held, quarantined }: BlockPool) => [free, inactive, held, quarantined]
const reason = 'discarded'

describe('discard', () => {
  test('frees cached blocks at once and tells it', () => {
    using here = world(4)
    const blocks = here.put(counted(3))
    const ids = blocks.ids.slice()
    blocks.release()
    here.pool.discard(ids.subarray(1, 2), { reason })
    expect(here.pool.scan(counted(3))).toEqual(Uint8Array.of(1, 0, 1))
    expect([counts(here.pool), here.log.at(-1)]).toEqual([[2, 2, 0, 0], '-2'])
    expect(here.events.at(-1)).toMatchObject({ type: 'removed', reason: 'discarded' })
  })

  test('makes held blocks unfindable at once, and free after the last release', () => {
    using here = world(4)
    const blocks = here.put(counted(3))
    const second = blocks.retain()
    here.pool.discard(blocks.ids.subarray(1, 2), { reason })
    expect(here.pool.matchCount(counted(3))).toBe(1)
    blocks.release()
    expect(counts(here.pool)).toEqual([1, 0, 3, 0])
    second.release()
    expect(counts(here.pool)).toEqual([2, 2, 0, 0])
  })

  test('lets the same content be registered again while the old block is held', () => {
    using here = world(4)
    const bad = here.put(chain([1]))
    here.pool.discard(bad.ids, { reason, quarantine: true })
    const good = here.put(chain([1]))
    expect(here.pool.match(chain([1])).ids).toEqual(good.ids)
    bad.release()
    expect(here.pool.matchCount(chain([1]))).toBe(1)
    expect(here.pool.quarantined).toBe(1)
  })

  test('lets a child whose parent is discarded live on, and its prefix age as usual', () => {
    using here = world(5)
    const run = here.put(counted(2))
    const child = here.put(chain([3], { parent: 2, start: 2 }))
    here.pool.discard(run.ids.subarray(1), { reason })
    run.release()
    expect(counts(here.pool)).toEqual([3, 1, 1, 0])
    child.release()
    expect(here.pool.scan(counted(3))).toEqual(Uint8Array.of(1, 0, 1))
  })

  test('of a block with held children only frees it at once', () => {
    using here = world(4)
    const run = here.put(counted(2))
    const [head, tail] = run.split(1)
    const ids = head.ids.slice()
    head.release()
    expect(here.pool.held).toBe(2)
    here.pool.discard(ids, { reason })
    expect(counts(here.pool)).toEqual([3, 0, 1, 0])
    tail.release()
  })

  test('tells each block once, even if it is named twice', () => {
    using here = world(2)
    const blocks = here.put(chain([1]))
    const [id] = blocks.ids
    blocks.release()
    here.pool.discard(Uint32Array.of(id!, id!), { reason })
    expect(here.log).toEqual(['+1', '-1'])
    expect(here.pool.stats().discards).toBe(1)
  })

  test('of blocks being filled: they cannot be named any more, the handle stays valid', () => {
    using here = world(3)
    const blocks = here.pool.allocate(3)
    here.pool.discard(blocks.ids.subarray(1, 2), { reason })
    expect(() => blocks.register(counted(3))).toThrow(/^blocks: block \d \(index 1\) was discarded. Split the run/)
    expect(here.log).toEqual([])
    const [head, rest] = blocks.split(1)
    rest.release()
    expect(head.register(counted(1)).count).toBe(1)
    expect(counts(here.pool)).toEqual([2, 0, 1, 0])
  })

  test('of complete blocks does the same', () => {
    using here = world(2)
    const blocks = here.pool.allocate(2).complete(counted(2))
    here.pool.discard(blocks.ids, { reason })
    expect(() => blocks.register()).toThrow(RangeError)
    blocks.release()
    expect(here.pool.free).toBe(2)
  })

  test('of a duplicate leaves the primary alone', () => {
    using here = world(3)
    here.put(chain([1])).release()
    const twin = here.put(chain([1]))
    here.pool.discard(twin.ids, { reason, quarantine: true })
    expect([counts(here.pool), here.log]).toEqual([[1, 1, 1, 0], ['+1']])
    twin.release()
    expect(counts(here.pool)).toEqual([1, 1, 0, 1])
  })

  test('refuses ids out of range and changes nothing', () => {
    using here = world(2)
    here.put(counted(2)).release()
    expect(() => here.pool.discard(Uint32Array.of(0, 2), { reason })).toThrow(
      'ids[1]: expected a block id from 0 to 1, got 2',
    )
    expect(here.pool.inactive).toBe(2)
  })
})

describe('quarantine', () => {
  test('takes blocks out of use whatever they are, until it ends', () => {
    using here = world(4)
    const cached = here.put(counted(1))
    const ids = Uint32Array.of(cached.ids[0]!, (cached.ids[0]! + 1) % 4)
    cached.release()
    here.pool.discard(ids, { reason, quarantine: true })
    expect([counts(here.pool), here.pool.available]).toEqual([[2, 0, 0, 2], 2])
    expect(() => here.pool.allocate(3)).toThrow(/2 of 4 available/)
    here.pool.unquarantine(ids)
    expect(here.pool.allocate(4).count).toBe(4)
  })

  test('of a target that something may still write to begins at its release', () => {
    using here = world(2)
    const target = here.pool.allocate(1)
    const ids = target.ids.slice()
    here.pool.discard(ids, { reason, quarantine: true })
    expect(counts(here.pool)).toEqual([1, 0, 1, 0])
    target.release()
    expect(counts(here.pool)).toEqual([1, 0, 0, 1])
    here.pool.unquarantine(ids)
    expect(counts(here.pool)).toEqual([2, 0, 0, 0])
  })

  test('may be called off before it begins', () => {
    using here = world(2)
    const target = here.pool.allocate(1)
    here.pool.discard(target.ids, { reason, quarantine: true })
    here.pool.unquarantine(target.ids)
    target.release()
    expect(counts(here.pool)).toEqual([2, 0, 0, 0])
  })

  test('that ends serves a waiter', async () => {
    using here = world(2)
    here.pool.discard(Uint32Array.of(0), { reason, quarantine: true })
    using held = here.pool.allocate(1)
    const waiting = here.pool.acquire(1)
    here.pool.unquarantine(Uint32Array.of(0, held.ids[0]!))
    expect([...(await waiting).ids]).toEqual([0])
  })
})
