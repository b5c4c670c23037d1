import { ClosedError, KvbmError } from '@kvbm/core'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { World } from './world.js'
import { counted, world } from './world.js'

afterEach(() => void vi.restoreAllMocks())

describe('close', () => {
  const calls: Readonly<Record<string, (here: World) => unknown>> = {
    allocate: ({ pool }) => pool.allocate(1),
    allocateUpTo: ({ pool }) => pool.allocateUpTo(1),
    match: ({ pool }) => pool.match(counted(1)),
    peek: ({ pool }) => pool.peek(counted(1)),
    matchCount: ({ pool }) => pool.matchCount(counted(1)),
    scan: ({ pool }) => pool.scan(counted(1)),
    touch: ({ pool }) => pool.touch(counted(1)),
    reset: ({ pool }) => pool.reset(),
    resetBlocks: ({ pool }) => pool.resetBlocks(counted(1)),
    discard: ({ pool }) => pool.discard(Uint32Array.of(0), { reason: 'discarded' }),
    unquarantine: ({ pool }) => pool.unquarantine(Uint32Array.of(0)),
  }

  test.each(Object.keys(calls))('%s says KVBM_CLOSED afterwards', (name) => {
    using here = world(2)
    here.pool.close()
    expect(() => calls[name]!(here)).toThrow(ClosedError)
    expect(() => calls[name]!(here)).toThrow('The block pool is closed')
  })

  test('transitions of handles say it too; releasing does nothing', () => {
    using here = world(4)
    const immutable = here.put(counted(2))
    const weak = immutable.downgrade()
    const mutable = here.pool.allocate(1)
    here.pool.close()
    for (const use of [() => mutable.register(counted(1)), () => immutable.retain(), () => weak.upgrade()]) {
      expect(use).toThrow(expect.objectContaining({ code: 'KVBM_CLOSED' }))
    }
    mutable.release()
    immutable.release()
    expect([here.pool.held, here.pool.stats().registrations]).toEqual([3, 2])
  })

  test('may be called again', () => {
    using here = world(1)
    here.pool.close()
    expect(() => here.pool.close()).not.toThrow()
  })

  test('reports what is still held, unless leaks are off', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    for (const leaks of ['off', 'count'] as const) {
      using here = world(4, { leaks })
      here.put(counted(2))
      here.pool.allocate(1)
      here.pool.close()
    }
    expect(warn).toHaveBeenCalledOnce()
    expect(warn.mock.calls[0]).toEqual([
      'A block pool was closed while 3 blocks were held by 2 handles. Release handles before close().',
      expect.objectContaining({ code: 'KVBM_BLOCK_LEAKED' }),
    ])
  })

  test('says nothing when everything was released', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    using here = world(4, { leaks: 'trace' })
    here
      .put(counted(2))
      .split(1)
      .forEach((blocks) => {
        blocks.release()
      })
    here.pool.close()
    expect(warn).not.toHaveBeenCalled()
  })
})

test('errors of the pool are told apart by code', () => {
  using here = world(1)
  here.pool.close()
  let caught: unknown
  try {
    here.pool.allocate(1)
  } catch (error) {
    caught = error
  }
  expect(KvbmError.is(caught, 'KVBM_CLOSED')).toBe(true)
})
