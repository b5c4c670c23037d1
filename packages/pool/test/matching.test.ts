import { describe, expect, test } from 'vitest'
import { chain, counted, world } from './world.js'

describe('match', () => {
  test('holds the longest prefix and stops at the first miss (cases 63 and 115)', () => {
    using here = world(8)
    here.put(counted(3)).release()
    here.put(chain([5], { parent: 4, start: 4 })).release()
    using found = here.pool.match(counted(5))
    expect([found.count, found.hashes.count, found.hashes.start]).toEqual([3, 3, 0])
    expect(here.pool.held).toBe(3)
    expect(here.pool.matchCount(counted(5))).toBe(3)
  })

  test('of names nobody registered gives an empty handle (case 62)', () => {
    using here = world(2)
    using found = here.pool.match(counted(2))
    expect([found.count, found.ids.length, found.hashes.count]).toEqual([0, 0, 0])
  })

  test('finds blocks after release (case 70), and held ones', () => {
    using here = world(2)
    const first = here.put(counted(2))
    const ids = [...first.ids]
    const second = here.pool.match(counted(2))
    expect([...second.ids]).toEqual(ids)
    first.release()
    second.release()
    using later = here.pool.match(counted(2))
    expect([...later.ids]).toEqual(ids)
  })

  test('counts hits and misses; peek, scan and matchCount count nothing', () => {
    using here = world(4)
    here.put(counted(2)).release()
    here.pool.match(counted(3)).release()
    here.pool.peek(counted(3)).release()
    here.pool.scan(counted(3))
    here.pool.matchCount(counted(3))
    expect(here.pool.stats()).toMatchObject({ hits: 2, misses: 1 })
  })

  test('tells names apart that differ in one word only', () => {
    using here = world(8)
    for (let word = 0; word < 4; word++) {
      const near = chain([7])
      near.words[word] = 8
      here.put(near).release()
    }
    expect(here.pool.inactive).toBe(4)
    expect(here.pool.matchCount(chain([7]))).toBe(0)
  })
})

describe('scan', () => {
  test('does not stop at a miss, holds nothing and touches nothing (case 115)', () => {
    using here = world(4)
    here.put(chain([1])).release()
    here.put(chain([3], { parent: 2, start: 2 })).release()
    expect(here.pool.scan(counted(4))).toEqual(Uint8Array.of(1, 0, 1, 0))
    expect(here.pool.held).toBe(0)
    here.pool.allocate(3)
    expect(here.pool.scan(counted(4))).toEqual(Uint8Array.of(0, 0, 1, 0))
  })
})

describe('weak handles (case 116)', () => {
  test('upgrade while the blocks are held, and while they are inactive', () => {
    using here = world(2)
    const blocks = here.put(counted(2))
    const ids = [...blocks.ids]
    const weak = blocks.downgrade()
    expect([weak.count, weak.pool, weak.hashes.count]).toEqual([2, here.pool, 2])
    weak.upgrade().release()
    expect(here.pool.held).toBe(2)
    blocks.release()
    using strong = weak.upgrade()
    expect([[...strong.ids], here.pool.held]).toEqual([ids, 2])
  })

  test('hold nothing: the blocks can be evicted', () => {
    using here = world(2)
    const blocks = here.put(counted(2))
    using weak = blocks.downgrade()
    blocks.release()
    here.pool.allocate(1).release()
    expect(weak.upgrade().count).toBe(1)
  })

  test('do not give an id that has another name by now', () => {
    using here = world(2)
    const blocks = here.put(counted(2))
    const weak = blocks.downgrade()
    blocks.release()
    here.put(chain([8, 9])).release()
    expect(weak.upgrade().count).toBe(0)
  })

  test('find the same content again under another id', () => {
    using here = world(2)
    const blocks = here.put(chain([1]))
    const [id] = blocks.ids
    const weak = blocks.downgrade()
    blocks.release()
    here.pool.reset()
    using other = here.pool.allocate(1)
    using again = here.put(chain([1]))
    expect([...other.ids]).toEqual([id])
    expect([...weak.upgrade().ids]).toEqual([...again.ids])
  })

  test('give the prefix that is left when a block in the middle is gone', () => {
    using here = world(3)
    const blocks = here.put(counted(3))
    const weak = blocks.downgrade()
    here.pool.discard(blocks.ids.subarray(1, 2), { reason: 'discarded' })
    expect(weak.upgrade().count).toBe(1)
  })
})
