import { HashIndex, hashIndexEntries } from '@kvbm/core'
import { describe, expect, test } from 'vitest'
import type { RestoredBlocks } from '../src/index.js'
import { chain, counted, words, world } from './world.js'

/** Blocks `[id, name, parent, position]` of a pool of `numBlocks`, least recently used first. */
function blocks(numBlocks: number, ...list: ReadonlyArray<readonly [number, number, number, number]>): RestoredBlocks {
  const byId = (field: 1 | 2 | 3): number[] =>
    Array.from({ length: numBlocks }, (_, id) => list.find((row) => row[0] === id)?.[field] ?? 0)
  return {
    ids: Uint32Array.from(list, ([id]) => id),
    hashes: words(byId(1)),
    parents: words(byId(2)),
    positions: Uint32Array.from(byId(3)),
  }
}

describe('restore', () => {
  test('blocks can be found again, under their ids, and are evicted in the order given', () => {
    using here = world(4)
    here.pool.restore(blocks(4, [2, 9, 0, 0], [0, 8, 0, 0], [3, 7, 0, 0]))
    expect([here.pool.inactive, here.pool.free, here.pool.stats().restored]).toEqual([3, 1, 3])
    const found = here.pool.match(chain([8]))
    expect([...found.ids]).toEqual([0])
    found.release()
    here.log.length = 0
    here.pool.allocate(4).release()
    expect(here.log).toEqual(['-9,7,8'])
  })

  test('a chain is evicted tail first, and told head first', () => {
    using here = world(5)
    here.pool.restore(blocks(5, [4, 9, 0, 0], [2, 3, 2, 2], [1, 2, 1, 1], [0, 1, 0, 0]))
    expect(here.log).toEqual(['+1,2,3', '+9'])
    expect(here.events[0]?.hashes).toMatchObject({ start: 0, pageSize: 16, algorithm: 'sha256' })
    here.pool.allocate(5).release()
    expect(here.log.at(-1)).toBe('-9,3,2,1')
  })

  test('an order in which children stand before parents is kept', () => {
    using here = world(4)
    here.pool.restore(blocks(4, [0, 3, 2, 2], [1, 9, 0, 0], [2, 2, 1, 1], [3, 1, 0, 0]))
    here.pool.allocate(4).release()
    expect(here.log.at(-1)).toBe('-3,9,2,1')
  })

  test('a chain whose head is missing is told with its parent and position', () => {
    using here = world(4)
    here.pool.restore(blocks(4, [0, 7, 6, 6], [1, 6, 5, 5]))
    expect(here.events).toHaveLength(1)
    expect(here.events[0]?.hashes).toMatchObject({ start: 5, parent: Uint32Array.of(5, 5, 5, 5) })
  })

  test('of nothing says nothing', () => {
    using here = world(2)
    here.pool.restore(blocks(2))
    expect([here.log, here.pool.free]).toEqual([[], 2])
  })

  test('records that name each other as parents do not hang', () => {
    using here = world(2)
    here.pool.restore(blocks(2, [0, 1, 2, 4], [1, 2, 1, 4]))
    here.pool.match(chain([1], { parent: 2, start: 4 })).release()
    expect(here.pool.inactive).toBe(2)
  })

  test('names of blocks that are not restored do not count', () => {
    using here = world(4)
    here.pool.restore({ ...blocks(4, [2, 9, 0, 0], [1, 9, 0, 0], [3, 7, 9, 1]), ids: Uint32Array.of(3, 2) })
    expect([here.pool.inactive, here.pool.free]).toEqual([2, 2])
    expect([...here.pool.match(chain([9, 7])).ids]).toEqual([2, 3])
  })

  test('what is free afterwards is handed out before anything is evicted', () => {
    using here = world(6)
    here.put(counted(2)).release()
    here.pool.reset()
    here.pool.restore(blocks(6, [5, 9, 0, 0], [2, 8, 0, 0]))
    expect([...here.pool.allocate(5).ids].toSorted()).toEqual([0, 1, 3, 4, 5])
    expect(here.log.at(-1)).toBe('-9')
  })

  test('an index that was made elsewhere is taken over', () => {
    using here = world(4)
    const given = blocks(4, [2, 9, 0, 0], [3, 7, 0, 0])
    const index = new Uint32Array(hashIndexEntries(4))
    const filled = new HashIndex(given.hashes, { entries: index, size: 0 })
    for (const id of given.ids) filled.insert(id)
    here.pool.restore({ ...given, index })
    here.put(chain([5])).release()
    expect([...here.pool.scan(chain([9, 7, 5, 4]))]).toEqual([1, 1, 1, 0])
    expect(filled.find(words([5]), 0)).toBeGreaterThanOrEqual(0)
  })

  test('nothing is said where nobody would hear it', () => {
    const told: unknown[] = []
    const eventManager = { publish: (event: unknown) => void told.push(event), isIdle: () => true }
    using here = world(4, { eventManager })
    here.pool.restore(blocks(4, [2, 9, 0, 0]))
    expect([told, here.pool.inactive]).toEqual([[], 1])
  })

  test.each<[string, RestoredBlocks, RegExp]>([
    [
      'an id out of range',
      { ...blocks(4), ids: Uint32Array.of(4) },
      /^ids\[0\]: expected a block id from 0 to 3, got 4/,
    ],
    [
      'an id that stands twice',
      { ...blocks(4, [1, 1, 0, 0]), ids: Uint32Array.of(1, 1) },
      /^ids\[1\]: expected every id once/,
    ],
    ['a hash that stands twice', blocks(4, [1, 1, 0, 0], [2, 1, 0, 0]), /^hashes\[1\]: expected every hash once/],
    ['hashes of another length', { ...blocks(4), hashes: words([]) }, /^hashes.length: expected 4 × 4, .*got 0/],
    ['parents of another length', { ...blocks(4), parents: words([1, 2]) }, /^parents.length/],
    ['positions of another length', { ...blocks(4), positions: new Uint32Array(2) }, /^positions.length/],
    ['an index of another length', { ...blocks(4), index: new Uint32Array(4) }, /^index.length: expected 8/],
  ])('refuses %s and changes nothing', (_what, given, message) => {
    using here = world(4)
    expect(() => here.pool.restore(given)).toThrow(message)
    expect([here.pool.free, here.log]).toEqual([4, []])
    here.put(counted(4))
  })

  test('refuses a pool in use, and an id in quarantine', () => {
    using here = world(4)
    here.pool.discard(Uint32Array.of(3), { reason: 'discarded', quarantine: true })
    expect(() => here.pool.restore(blocks(4, [3, 1, 0, 0]))).toThrow(
      'ids[0]: expected a free block, not one in quarantine, got 3',
    )
    here.put(counted(1)).release()
    expect(() => here.pool.restore(blocks(4, [1, 7, 0, 0]))).toThrow(/^pool: expected an empty pool/)
  })
})
