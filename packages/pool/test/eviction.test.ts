import { describe, expect, test } from 'vitest'
import { chain, counted, world } from './world.js'

describe('the order of eviction', () => {
  test('only leaves are evicted: of a chain of 4 the tail goes first (case 71)', () => {
    using here = world(4)
    here.put(counted(4)).release()
    here.pool.allocate(1).release()
    expect(here.pool.matchCount(counted(4))).toBe(3)
    here.pool.allocate(2).release()
    expect(here.pool.matchCount(counted(4))).toBe(2)
    expect(here.pool.allocate(4).count).toBe(4)
  })

  test('both children go before their parent, whoever was released first (case 72)', () => {
    using here = world(3)
    const parent = here.put(chain([1]))
    const left = here.put(chain([2], { parent: 1, start: 1 }))
    const right = here.put(chain([3], { parent: 1, start: 1 }))
    for (const blocks of [parent, left, right]) blocks.release()
    here.pool.allocate(1).release()
    here.pool.allocate(2).release()
    here.pool.allocate(3).release()
    expect(here.log.slice(3)).toEqual(['-2', '-3', '-1'])
  })

  test('matching and releasing the root does not break the order (case 73)', () => {
    using here = world(4)
    here.put(counted(4)).release()
    here.pool.match(counted(1)).release()
    using _three = here.pool.allocate(3)
    expect(here.pool.matchCount(counted(4))).toBe(1)
    here.pool.allocate(1).release()
    expect(here.pool.matchCount(counted(4))).toBe(0)
  })

  test('a parent run released before its child run is held as long as the child is', () => {
    using here = world(6)
    const parent = here.put(counted(2))
    const child = here.put(chain([3, 4], { parent: 2, start: 2 }))
    parent.release()
    expect([here.pool.held, here.pool.available]).toEqual([4, 2])
    expect(() => here.pool.allocate(3)).toThrow(/2 of 6 available/)
    child.release()
    here.log.length = 0
    here.pool.allocate(6).release()
    expect(here.log).toEqual(['-4,3,2,1'])
  })

  test('single blocks of a chain released head first still go tail first', () => {
    using here = world(5)
    const singles = [1, 2, 3, 4, 5].map((name) => here.put(chain([name], { parent: name - 1, start: name - 1 })))
    for (const blocks of singles) blocks.release()
    here.log.length = 0
    here.pool.allocate(5).release()
    expect(here.log).toEqual(['-5,4,3,2,1'])
  })

  test('a parent that is registered after its child goes after it, held or not (case 120)', () => {
    using here = world(4)
    const child = here.put(chain([2, 3], { parent: 1, start: 1 }))
    const parent = here.put(chain([1]))
    parent.release()
    expect(here.pool.held).toBe(3)
    child.release()
    here.log.length = 0
    here.pool.allocate(4).release()
    expect(here.log).toEqual(['-3,2,1'])
  })

  test('a parent that was discarded and comes back is kept by the children it had (case 120)', () => {
    using here = world(4)
    const run = here.put(counted(2))
    const children = [here.put(chain([3], { parent: 2, start: 2 })), here.put(chain([4], { parent: 2, start: 2 }))]
    here.pool.discard(run.ids.subarray(1), { reason: 'discarded' })
    run.release()
    expect([here.pool.free, here.pool.held]).toEqual([1, 2])
    here.put(counted(2)).release()
    expect(here.pool.inactive).toBe(0)
    for (const blocks of children) blocks.release()
    here.log.length = 0
    here.pool.allocate(4).release()
    expect(here.log).toEqual(['-3,4,2,1'])
  })

  test('matching the middle of a chain holds what leads to it', () => {
    using here = world(6)
    here.put(counted(4)).release()
    const middle = here.pool.match(counted(4).subarray(2, 3))
    expect([here.pool.held, here.pool.inactive]).toEqual([3, 1])
    middle.release()
    here.log.length = 0
    here.pool.allocate(6).release()
    expect(here.log).toEqual(['-4,3,2,1'])
  })

  test('a chain of 100,000 single blocks is held and released without recursion (case 120)', () => {
    const count = 100_000
    using here = world(count)
    const all = counted(count)
    here.put(all).release()
    const last = here.pool.match(all.subarray(count - 1))
    expect(here.pool.held).toBe(count)
    last.release()
    expect(here.pool.inactive).toBe(count)
  })

  test('free blocks are taken before cached ones', () => {
    using here = world(3)
    here.put(counted(2)).release()
    here.pool.allocate(1).release()
    expect(here.pool.matchCount(counted(2))).toBe(2)
    expect(here.pool.stats().evictions).toBe(0)
  })

  test('held blocks are never evicted', () => {
    using here = world(3)
    using found = here.put(counted(2))
    expect(() => here.pool.allocate(2)).toThrow(/1 of 3 available/)
    expect(here.pool.matchCount(found.hashes)).toBe(2)
  })

  test('a block keeps the parent it was registered with, even if it is found behind another', () => {
    using here = world(4)
    const parent = here.put(chain([1]))
    here.put(chain([3], { parent: 1, start: 1 })).release()
    here.put(chain([2])).release()
    using _found = here.pool.match(chain([2, 3]))
    here.pool.checkInvariants()
    parent.release()
    expect([here.pool.held, here.pool.inactive]).toEqual([3, 0])
  })

  test('names that fit nobody do not become a circle', () => {
    using here = world(2)
    const first = here.put(chain([1], { parent: 2, start: 5 }))
    const second = here.put(chain([2], { parent: 1, start: 5 }))
    first.release()
    second.release()
    expect(here.pool.inactive).toBe(2)
  })
})

describe('touch', () => {
  test('makes blocks the most recently used, the tail before the head (case 74)', () => {
    using here = world(4)
    here.put(chain([1, 2])).release()
    here.put(chain([8, 9])).release()
    expect(here.pool.touch(chain([1, 2, 3]))).toBe(2)
    here.log.length = 0
    here.pool.allocate(4).release()
    expect(here.log).toEqual(['-9,8,2,1'])
  })

  test('leaves held blocks held, and counts no hit', () => {
    using here = world(2)
    using _blocks = here.put(counted(2))
    expect(here.pool.touch(counted(2))).toBe(2)
    expect([here.pool.held, here.pool.stats().hits]).toEqual([2, 0])
  })
})

describe('reset', () => {
  test('forgets everything that is cached, children first (case 66)', () => {
    using here = world(4)
    here.put(counted(3)).release()
    here.pool.reset()
    expect([here.pool.free, here.pool.matchCount(counted(3))]).toEqual([4, 0])
    expect(here.events.at(-1)).toMatchObject({ type: 'removed', reason: 'reset' })
    expect(here.log.at(-1)).toBe('-3,2,1')
  })

  test('is refused while blocks are held, and changes nothing (cases 75 and 115)', () => {
    using here = world(4)
    using _blocks = here.pool.allocate(1)
    here.put(counted(2)).release()
    expect(() => here.pool.reset()).toThrow('reset: 1 of 4 blocks are held. Release them')
    expect(here.pool.inactive).toBe(2)
  })

  test('of named blocks reports what was reset, not found and held', () => {
    using here = world(6)
    here.put(counted(4)).release()
    using _held = here.pool.match(counted(1))
    expect(here.pool.resetBlocks(counted(6))).toEqual({ reset: 3, notFound: 2, held: 1 })
    expect(here.log.at(-1)).toBe('-4,3,2')
    expect(here.pool.scan(counted(6))).toEqual(Uint8Array.of(1, 0, 0, 0, 0, 0))
  })

  test('of a name given twice resets it once', () => {
    using here = world(2)
    here.put(chain([1])).release()
    expect(here.pool.resetBlocks(chain([1, 1]))).toEqual({ reset: 1, notFound: 0, held: 0 })
  })
})
