import { describe, expect, test } from 'vitest'
import { chain, counted, namesOf, world } from './world.js'

describe("duplicates: 'allow' (cases 75 and 114)", () => {
  test('keeps our block under its own id, and the primary with it', () => {
    using here = world(4)
    const primary = here.put(chain([1]))
    const twin = here.put(chain([1]))
    expect(twin.ids).not.toEqual(primary.ids)
    expect(here.pool.available).toBe(2)
    primary.release()
    expect(here.pool.available).toBe(2)
    expect(() => here.pool.reset()).toThrow(/^reset: 2 of 4 blocks are held/)
    twin.release()
    expect([here.pool.free, here.pool.inactive]).toEqual([3, 1])
    expect(here.pool.matchCount(chain([1]))).toBe(1)
    here.pool.reset()
    expect(here.pool.matchCount(chain([1]))).toBe(0)
  })

  test('the duplicate may go first: it is free, the primary stays held', () => {
    using here = world(2)
    using primary = here.put(chain([1]))
    here.put(chain([1])).release()
    expect([here.pool.free, here.pool.held]).toEqual([1, 1])
    expect(here.pool.match(chain([1])).ids).toEqual(primary.ids)
  })

  test('a primary that nobody holds is held again by its duplicate', () => {
    using here = world(2)
    here.put(chain([1])).release()
    const twin = here.put(chain([1]))
    expect([here.pool.held, here.pool.inactive]).toEqual([2, 0])
    twin.release()
    expect([here.pool.free, here.pool.inactive]).toEqual([1, 1])
  })

  test('a second holder of the duplicate keeps both', () => {
    using here = world(2)
    here.put(chain([1])).release()
    const twin = here.put(chain([1]))
    const second = twin.retain()
    twin.release()
    expect(here.pool.held).toBe(2)
    second.release()
    expect(here.pool.held).toBe(0)
  })

  test('a duplicate whose primary was discarded is never found, and free after its release', () => {
    using here = world(3)
    const primary = here.put(chain([1]))
    const twin = here.put(chain([1]))
    here.pool.discard(primary.ids, { reason: 'discarded' })
    primary.release()
    expect([here.pool.matchCount(chain([1])), here.pool.held]).toEqual([0, 1])
    using third = here.put(chain([1]))
    expect(here.pool.match(chain([1])).ids).toEqual(third.ids)
    twin.release()
    expect(here.pool.held).toBe(1)
  })

  test('a hash twice in one run: the second block is a duplicate of the first', () => {
    using here = world(3)
    using run = here.put(chain([1, 1, 2]))
    expect(new Set(run.ids).size).toBe(3)
    expect(here.pool.match(chain([1])).ids).toEqual(run.ids.subarray(0, 1))
    expect(here.pool.stats()).toMatchObject({ registrations: 2, duplicates: 1 })
    here.pool.checkInvariants()
  })
})

describe("duplicates: 'reject' (cases 64, 76 and 114)", () => {
  test('frees our block and gives the id of the primary', () => {
    using here = world(4, { duplicates: 'reject' })
    using primary = here.put(chain([1]))
    using same = here.put(chain([1]))
    expect(same.ids).toEqual(primary.ids)
    expect(here.pool.available).toBe(3)
    primary.release()
    expect(here.pool.held).toBe(1)
  })

  test('a call may choose otherwise than the pool', () => {
    using here = world(4)
    using primary = here.put(chain([1]))
    using same = here.pool.allocate(1).register(chain([1]), { duplicates: 'reject' })
    using twin = here.pool
      .allocate(1)
      .complete(chain([1]))
      .register({ duplicates: 'allow' })
    expect(same.ids).toEqual(primary.ids)
    expect(twin.ids).not.toEqual(primary.ids)
  })

  test('a hash twice in one run: both places get the first block, one is free', () => {
    using here = world(3, { duplicates: 'reject' })
    const run = here.put(chain([1, 1, 2]))
    expect(run.ids[0]).toBe(run.ids[1])
    expect([here.pool.held, here.pool.free]).toEqual([2, 1])
    run.release()
    expect(here.pool.inactive).toBe(2)
  })

  test('mixes new and known blocks in one run, and splits what it tells', () => {
    using here = world(8, { duplicates: 'reject' })
    here.put(chain([3], { parent: 2, start: 2 })).release()
    here.log.length = 0
    using run = here.put(counted(5))
    expect(here.log).toEqual(['+1,2', '+4,5'])
    expect(namesOf(run.hashes)).toEqual([1, 2, 3, 4, 5])
    expect(here.events.at(-1)).toMatchObject({ hashes: { start: 3, parent: Uint32Array.of(3, 3, 3, 3) } })
    expect([here.pool.held, here.pool.free]).toEqual([5, 3])
  })
})
