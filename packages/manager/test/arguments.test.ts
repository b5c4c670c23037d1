import { expect, test } from 'vitest'
import { KvBlockManager } from '../src/index.js'
import { compute, content, MODEL, openManager } from './world.js'

// What comes from JavaScript: every mistake is named, with what was given.

const WHAT_A_WAIT_IS = /options: expected an object with signal and deadlineMs, or nothing, got null/
const WHAT_A_SIGNAL_IS = /signal: expected an AbortSignal, got \[object Object\]/

test.each([undefined, null, 'abc', ['abc'], {}])('%j are no hashes', async (hashes) => {
  await using manager = await openManager({ host: 2, device: 2 })
  const fresh = manager.host.allocate(1)
  const message = /hashes: expected BlockHashes, as hash\(\) gives them, got /
  for (const call of [
    () => manager.match(hashes as never),
    () => manager.host.match(hashes as never),
    () => manager.host.scan(hashes as never),
    () => manager.host.touch(hashes as never),
    () => fresh.register(hashes as never),
  ])
    expect(call).toThrow(message)
  await expect(manager.host.resetBlocks(hashes as never)).rejects.toThrow(message)
  await expect(manager.register(fresh, hashes as never)).rejects.toThrow(message)
  expect(manager.status().requested).toBe(0)
  fresh.release()
})

test.each([undefined, null, {}, { runs: 1 }])('%j is no lease', async (lease) => {
  await using manager = await openManager({ host: 2, device: 2 })
  const message = /lease: expected a Lease, as match\(\) gives it, got /
  await expect(manager.onboard(lease as never)).rejects.toThrow(message)
  expect(() => manager.gather(lease as never)).toThrow(message)
})

test.each([
  ['null', null, WHAT_A_WAIT_IS],
  ['a signal that is none', { signal: {} }, WHAT_A_SIGNAL_IS],
  ['a deadline that is none', { deadlineMs: 'soon' }, /deadlineMs: expected a number of 0 or more, got 'soon'/],
])('%s where a call waits is named, and nothing was taken', async (_, wait, message) => {
  await using manager = await openManager({ device: 2, host: 2 })
  const { hashes, kept } = await compute(manager, 1)
  const fresh = manager.host.allocate(1)
  const lease = manager.match(hashes)
  const given = wait as never
  for (const call of [
    () => manager.host.acquire(1, given),
    () => manager.write(fresh, content(1), given),
    () => manager.read(kept, given),
    () => manager.offload(kept, given),
    () => manager.onboard(lease, given),
    () => manager.gather(lease, given).gather(new Float64Array(), undefined as never),
    () => manager.settled(given),
  ])
    await expect(call()).rejects.toThrow(message)
  for (const blocks of [fresh, kept, lease]) blocks.release()
  await manager.settled()
  expect(manager.status().tiers.device?.blocks.held).toBe(0)
})

test('events want a signal or none', async () => {
  await using manager = await openManager({ host: 1 })
  expect(() => manager.events(null as never)).toThrow(WHAT_A_WAIT_IS)
  expect(() => manager.events({ signal: {} } as never)).toThrow(WHAT_A_SIGNAL_IS)
})

test.each([
  ['undefined', undefined],
  ['object', { handleEvent: () => {} }],
])('%s is no listener, and is refused before there is an event', async (kind, listener) => {
  await using manager = await openManager({ host: 1 })
  const message = `onEvent: expected a function that takes events, got ${kind}`
  expect(() => manager.onEvent(listener as never)).toThrow(new TypeError(message))
})

test.each([null, 7, 'fast'])('%j are no settings', async (settings) => {
  await expect(openManager({ host: 1, settings: settings as never })).rejects.toThrow(
    /settings: expected an object, or nothing, got /,
  )
})

const throwing = new Proxy(
  {},
  {
    get: () => fail(),
    has: () => fail(),
    ownKeys: () => fail(),
  },
)

function fail(): never {
  throw new Error('not for you')
}

test.each([
  ['a whole', throwing],
  ['a part', { model: throwing, hostLayout: { numBlocks: 1 } }],
  ['a getter', { model: MODEL, hostLayout: Object.defineProperty({}, 'numBlocks', { get: fail, enumerable: true }) }],
])('%s that cannot be read is an error of the configuration, with why', async (_, config) => {
  await expect(KvBlockManager.create(config as never)).rejects.toMatchObject({
    code: 'KVBM_CONFIG_INVALID',
    message: expect.stringContaining('not for you'),
  })
})
