import { DirectoryLockedError, StorageIoError, silentLogger } from '@kvbm/core'
import { expect, test } from 'vitest'
import { DiskRole } from '../src/disk-role.js'
import { EventHub } from '../src/event-hub.js'
import type { ReaderStore } from '../src/reader-store.js'
import { TierMap } from '../src/tier-map.js'
import type { TierStore } from '../src/tier-store.js'

test('a reader looks again and again after pauses between half and one and a half of the delay, until it writes', async () => {
  const world = new World({ lockedTimes: 4, randoms: [0, 0.25, 0.5, 1, 0.75] })
  await world.role.follow()
  expect(world.pauses).toEqual([500, 750, 1000, 1500, 1250])
  expect([world.attempts, world.refreshes]).toEqual([5, 4])
  expect(world.tiers.get('disk')).toBe(world.writer)
  await world.role.look()
  expect(world.attempts).toBe(5)
})

test('it stops looking when the manager closes, also in the middle of a pause', async () => {
  const world = new World({ lockedTimes: Number.POSITIVE_INFINITY, pausesUntilClosing: 3 })
  await world.role.follow()
  await world.role.look()
  expect([world.pauses.length, world.attempts]).toEqual([3, 2])
})

test('looks that are asked for together are one; one that is asked for during a look is another', async () => {
  const world = new World({ lockedTimes: Number.POSITIVE_INFINITY })
  const first = world.role.look()
  await Promise.resolve()
  const [second, third] = [world.role.look(), world.role.look()]
  expect([first === second, second === third]).toEqual([false, true])
  await Promise.all([first, second, third])
  expect([world.attempts, world.refreshes, world.most]).toEqual([2, 2, 1])
})

test('an attempt that fails for another reason is told, and followed by the next', async () => {
  const world = new World({ lockedTimes: 3, failure: new StorageIoError('The disk is on fire. Put it out.') })
  await world.role.follow()
  expect(world.warnings).toEqual([expect.stringMatching(/taking over failed. The disk is on fire/)])
  expect(world.tiers.get('disk')).toBe(world.writer)
})

test('what was removed or replaced under a reader is not taken over, until it is back', async () => {
  const world = new World({ lockedTimes: 0 })
  world.isRemoved = true
  await world.role.look()
  await world.role.look()
  expect([world.attempts, world.refreshes, world.warnings]).toEqual([0, 2, []])
  world.isRemoved = false
  await world.role.look()
  expect(world.tiers.get('disk')).toBe(world.writer)
})

interface WorldOptions {
  /** Attempts that fail before one works. */
  readonly lockedTimes: number
  /** How they fail. Default: the directory is locked. */
  readonly failure?: Error
  readonly randoms?: readonly number[]
  readonly pausesUntilClosing?: number
}

/** A role whose clock does not wait. The stores are names only: it looks into neither. */
class World {
  readonly tiers = new TierMap()
  readonly writer = { role: { role: 'writer', reason: 'a test' } } as unknown as TierStore<'disk'>
  readonly pauses: number[] = []
  readonly warnings: string[] = []
  readonly role: DiskRole
  /** What is read is not in its place. */
  isRemoved = false
  attempts = 0
  refreshes = 0
  /** Attempts under way at once. */
  most = 0
  #running = 0

  constructor({ lockedTimes, failure, randoms = [], pausesUntilClosing = Number.POSITIVE_INFINITY }: WorldOptions) {
    const closing = new AbortController()
    const left = [...randoms]
    const reader = { isInPlace: async () => !this.isRemoved, refresh: async () => void this.refreshes++ }
    const store = { reader } as unknown as ReaderStore
    this.tiers.set('disk', store)
    this.role = new DiskRole({
      store,
      tiers: this.tiers,
      takeOver: () =>
        this.#attempt(lockedTimes, failure ?? new DirectoryLockedError('/kv', 'another process writes it')),
      track: (work) => work,
      events: new EventHub({ logger: silentLogger }),
      logger: { ...silentLogger, warn: (message) => void this.warnings.push(message) },
      delayMs: 1000,
      closing: closing.signal,
      random: () => left.shift() ?? 0.5,
      pause: async (delayMs, signal) => {
        if (this.pauses.push(delayMs) >= pausesUntilClosing) closing.abort()
        signal.throwIfAborted()
      },
    })
  }

  async #attempt(lockedTimes: number, failure: Error): Promise<TierStore<'disk'>> {
    this.most = Math.max(this.most, ++this.#running)
    await Promise.resolve()
    this.#running--
    if (++this.attempts <= lockedTimes) throw failure
    return this.writer
  }
}
