import { describe, expect, test } from 'vitest'
import type { RestoredBlocks } from '../src/index.js'
import { chain, counted, words, world } from './world.js'

/** Rows `[id, name, parent, position]`, least recently used first. */
function rows(...list: ReadonlyArray<readonly [number, number, number, number]>): RestoredBlocks {
  return {
    ids: Uint32Array.from(list, ([id]) => id),
    hashes: words(list.map(([, name]) => name)),
    parents: words(list.map(([, , parent]) => parent)),
    positions: Uint32Array.from(list, ([, , , position]) => position),
  }
}

describe('restore', () => {
  test('blocks can be found again, under their ids, and are evicted in the order given', () => {
    using here = world(4)
    here.pool.restore(rows([2, 9, 0, 0], [0, 8, 0, 0], [3, 7, 0, 0]))
    expect([here.pool.inactive, here.pool.free, here.pool.stats().restored]).toEqual([3, 1, 3])
    const found = here.pool.match(chain([8]))
    expect([...found.ids]).toEqual([0])
    found.release()
    here.log.length = 0
    here.pool.allocate(4).release()
    expect(here.log).toEqual(['-9,7,8'])
  })

  test('a chain that was written head first is evicted tail first, and told head first', () => {
    using here = world(5)
    here.pool.restore(rows([0, 1, 0, 0], [1, 2, 1, 1], [4, 9, 0, 0], [2, 3, 2, 2]))
    expect(here.log).toEqual(['+1,2,3', '+9'])
    expect(here.events[0]?.hashes).toMatchObject({ start: 0, pageSize: 16, algorithm: 'sha256' })
    here.pool.allocate(5).release()
    expect(here.log.at(-1)).toBe('-9,3,2,1')
  })

  test('an order in which children stand before parents is kept', () => {
    using here = world(4)
    here.pool.restore(rows([0, 3, 2, 2], [1, 9, 0, 0], [2, 2, 1, 1], [3, 1, 0, 0]))
    here.pool.allocate(4).release()
    expect(here.log.at(-1)).toBe('-3,9,2,1')
  })

  test('a chain whose head is missing is told with its parent and position', () => {
    using here = world(4)
    here.pool.restore(rows([1, 6, 5, 5], [0, 7, 6, 6]))
    expect(here.events).toHaveLength(1)
    expect(here.events[0]?.hashes).toMatchObject({ start: 5, parent: Uint32Array.of(5, 5, 5, 5) })
  })

  test('of nothing says nothing', () => {
    using here = world(2)
    here.pool.restore(rows())
    expect([here.log, here.pool.free]).toEqual([[], 2])
  })

  test('records that name each other as parents do not hang', () => {
    using here = world(2)
    here.pool.restore(rows([0, 1, 2, 4], [1, 2, 1, 4]))
    here.pool.match(chain([1], { parent: 2, start: 4 })).release()
    expect(here.pool.inactive).toBe(2)
  })

  test.each<[string, RestoredBlocks, RegExp]>([
    ['an id out of range', rows([4, 1, 0, 0]), /^ids\[0\]: expected a block id from 0 to 3, got 4/],
    ['an id that stands twice', rows([1, 1, 0, 0], [1, 2, 0, 0]), /^ids\[1\]: expected every id once/],
    ['a hash that stands twice', rows([1, 1, 0, 0], [2, 1, 0, 0]), /^hashes\[1\]: expected every hash once/],
    ['hashes of another length', { ...rows([1, 1, 0, 0]), hashes: words([]) }, /^hashes.length: expected 4 × 1, got 0/],
    ['parents of another length', { ...rows([1, 1, 0, 0]), parents: words([1, 2]) }, /^parents.length/],
    ['positions of another length', { ...rows([1, 1, 0, 0]), positions: new Uint32Array(2) }, /^positions.length/],
  ])('refuses %s and changes nothing', (_what, blocks, message) => {
    using here = world(4)
    expect(() => here.pool.restore(blocks)).toThrow(message)
    expect([here.pool.free, here.log]).toEqual([4, []])
    here.put(counted(4))
  })

  test('refuses a pool in use, and an id in quarantine', () => {
    using here = world(4)
    here.pool.discard(Uint32Array.of(3), { reason: 'discarded', quarantine: true })
    expect(() => here.pool.restore(rows([3, 1, 0, 0]))).toThrow(
      'ids[0]: expected a free block, not one in quarantine, got 3',
    )
    here.put(counted(1)).release()
    expect(() => here.pool.restore(rows([1, 7, 0, 0]))).toThrow(/^pool: expected an empty pool/)
  })
})
