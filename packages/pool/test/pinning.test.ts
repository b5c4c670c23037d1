import { expect, test } from 'vitest'
import type { BlockPool } from '../src/index.js'
import { counted, world } from './world.js'

const counts = ({ free, inactive, held, quarantined }: BlockPool) => [free, inactive, held, quarantined]

test('blocks that are pinned are not handed out after their handle was released, and are free afterwards', () => {
  using here = world(2)
  const { pool } = here
  const blocks = pool.allocate(2)
  const unpin = blocks.pin()
  blocks.release()
  expect(counts(pool)).toEqual([0, 0, 2, 0])
  expect(pool.allocateUpTo(2).count).toBe(0)
  pool.checkInvariants()
  unpin()
  unpin()
  expect(counts(pool)).toEqual([2, 0, 0, 0])
  pool.checkInvariants()
})

test('blocks that were registered while they were pinned stay cached when both are gone', () => {
  using here = world(2)
  const { pool } = here
  const blocks = pool.allocate(2)
  const unpin = blocks.pin()
  const kept = blocks.register(counted(2))
  kept.release()
  expect(counts(pool)).toEqual([0, 0, 2, 0])
  unpin()
  expect(counts(pool)).toEqual([0, 2, 0, 0])
  pool.checkInvariants()
})

test('a pinned duplicate that is refused is free after the pin, not before', () => {
  using here = world(3)
  const { pool } = here
  here.put(counted(1)).release()
  const blocks = pool.allocate(1)
  const unpin = blocks.pin()
  blocks.register(counted(1), { duplicates: 'reject' }).release()
  expect(counts(pool)).toEqual([1, 1, 1, 0])
  pool.checkInvariants()
  unpin()
  expect(counts(pool)).toEqual([2, 1, 0, 0])
  pool.checkInvariants()
})

test('named blocks that are pinned are not evicted', () => {
  using here = world(2)
  const { pool } = here
  const kept = here.put(counted(2))
  const unpin = kept.pin()
  kept.release()
  expect(pool.allocateUpTo(2).count).toBe(0)
  unpin()
  expect(pool.allocateUpTo(2).count).toBe(2)
})

test('a handle that is gone cannot be pinned', () => {
  using here = world(1)
  const blocks = here.pool.allocate(1)
  blocks.release()
  expect(() => blocks.pin()).toThrow(expect.objectContaining({ code: 'KVBM_BLOCK_CONSUMED' }))
})

test('unpinning after close does nothing', () => {
  const here = world(1)
  const unpin = here.pool.allocate(1).pin()
  here.pool.close()
  expect(unpin).not.toThrow()
})
