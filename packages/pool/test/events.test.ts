import type { BlockEvent } from '@kvbm/core'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { BlockPool, type PoolObserver } from '../src/index.js'
import { chain, counted, namesOf, world } from './world.js'

describe('events', () => {
  test('one registration is one stored event with tier, parent and position (cases 59 and 122)', () => {
    using here = world(8, { tier: 'host' })
    here.put(chain([4, 5, 6], { parent: 3, start: 3 }))
    expect(here.events).toHaveLength(1)
    expect(here.events[0]).toMatchObject({ type: 'stored', tier: 'host', hashes: { start: 3, count: 3, pageSize: 16 } })
    expect(here.events[0]?.hashes).toHaveProperty('parent', Uint32Array.of(3, 3, 3, 3))
  })

  test('nothing is told of what has no name: allocation, completion, release, an empty run (case 60)', () => {
    using here = world(4)
    here.pool.allocate(2).release()
    here.pool.allocate(2).complete(counted(2)).release()
    here.pool.allocate(0).register(chain([])).release()
    here.pool.allocate(4)
    expect(here.log).toEqual([])
  })

  test('stored comes before removed, and each block is removed once (cases 57 and 122)', () => {
    using here = world(2)
    here.put(counted(2)).release()
    here.put(chain([8, 9])).release()
    here.pool.reset()
    here.pool.allocate(2).release()
    expect(here.log).toEqual(['+1,2', '-2,1', '+8,9', '-9,8'])
    expect(here.events.map((event) => (event.type === 'removed' ? event.reason : ''))).toEqual([
      '',
      'evicted',
      '',
      'reset',
    ])
  })

  test('removed is told when the name goes, whether a handle went before or goes after (case 58)', () => {
    using here = world(2)
    here.put(counted(1)).release()
    expect(here.log).toEqual(['+1'])
    const kept = here.put(chain([8]))
    here.pool.discard(kept.ids, { reason: 'discarded' })
    expect(here.log).toEqual(['+1', '+8', '-8'])
    kept.release()
    here.pool.allocate(2).release()
    expect(here.log).toEqual(['+1', '+8', '-8', '-1'])
  })

  test('a duplicate is not stored again, and splits the run that it interrupts', () => {
    using here = world(8)
    const [first] = [here.put(chain([3], { parent: 2, start: 2 }))]
    here.put(counted(4)).release()
    expect(here.log).toEqual(['+3', '+1,2', '+4'])
    first.release()
  })

  test('keep their order when a listener changes the pool, and no listener is called while it runs', () => {
    const log: string[] = []
    const publish = (event: BlockEvent): void => {
      log.push(`${event.type} ${namesOf(event.hashes)}`)
      if (namesOf(event.hashes).includes(3) && event.type === 'removed')
        pool
          .allocate(1)
          .register(chain([7]))
          .release()
      log.push('done')
    }
    const pool = new BlockPool({ numBlocks: 3, pageSize: 16, eventManager: { publish } })
    pool.allocate(3).register(counted(3)).release()
    pool.allocate(2)
    const told = ['stored 1,2,3', 'removed 3,2', 'removed 1', 'stored 7']
    expect(log).toEqual(told.flatMap((event) => [event, 'done']))
    pool.checkInvariants()
  })
})

describe('the observer', () => {
  const recorder = (log: string[]): PoolObserver => ({
    registered: (ids, hashes) => void log.push(`registered ${ids.length} ids: ${namesOf(hashes)} at ${hashes.start}`),
    evicted: (ids, hashes) => void log.push(`evicted ${ids.length} ids: ${namesOf(hashes)}`),
  })

  test('is told once per run and once per eviction, in the same turn', () => {
    const log: string[] = []
    using here = world(4, { observer: recorder(log) })
    here.put(counted(3)).release()
    expect(log).toEqual(['registered 3 ids: 1,2,3 at 0'])
    here.pool.allocate(3)
    expect(log.at(-1)).toBe('evicted 2 ids: 3,2')
  })

  test('gets the ids of the blocks it is told of', () => {
    const told: number[][] = []
    using here = world(4)
    here.pool.setObserver({ registered: (ids) => void told.push([...ids]), evicted: (ids) => void told.push([...ids]) })
    const blocks = here.put(counted(2))
    const ids = [...blocks.ids]
    blocks.release()
    here.pool.allocate(4)
    expect(told).toEqual([ids, ids.toReversed()])
  })

  test('can be changed and taken away', () => {
    const log: string[] = []
    using here = world(4)
    here.pool.setObserver(recorder(log))
    here.put(chain([1]))
    here.pool.setObserver(undefined)
    here.put(chain([2]))
    expect(log).toHaveLength(1)
  })

  test('sees a pool that is consistent and may call it', () => {
    using here = world(4)
    here.pool.setObserver({
      registered: (_ids, hashes) => {
        here.pool.checkInvariants()
        here.pool.match(hashes).release()
      },
    })
    expect(here.put(counted(4)).count).toBe(4)
    expect(here.pool.held).toBe(4)
  })
})

describe('a listener that throws', () => {
  afterEach(() => void vi.restoreAllMocks())

  test('stops neither the pool nor other listeners; it is counted, and said once', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const fail = (): never => {
      throw new Error('listener broke')
    }
    using here = world(4, { observer: { registered: fail, evicted: fail } })
    const blocks = here.put(counted(2))
    expect([blocks.count, here.log]).toEqual([2, ['+1,2']])
    blocks.release()
    here.pool.allocate(4)
    expect(here.pool.stats().listenerErrors).toBe(2)
    expect(warn).toHaveBeenCalledOnce()
    expect(warn.mock.calls[0]).toEqual([
      expect.stringContaining('listener broke'),
      expect.objectContaining({ code: 'KVBM_LISTENER_FAILED' }),
    ])
  })

  test('neither does one whose promise rejects, nor does it end the process', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const fail = async (): Promise<never> => {
      throw new Error('listener broke later')
    }
    using here = world(4, { observer: { registered: fail }, eventManager: { publish: fail } })
    here.put(counted(2)).release()
    await new Promise(setImmediate)
    expect(here.pool.stats().listenerErrors).toBe(2)
    expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('broke later'), expect.anything())
  })
})
