import { type ConfigInput, configFromEnvironment, KvBlockManagerConfig, type ResolvedConfig } from '@kvbm/config'
import type { TierName } from '@kvbm/core'
import { expect, expectTypeOf, test } from 'vitest'
import { KvBlockManager, type Manager, type Tier } from '../src/index.js'
import { MODEL } from './world.js'

const hostLayout = { numBlocks: 2 } as const
const deviceLayout = { numBlocks: 2 } as const
const diskLayout = { numBlocks: 2, allocator: { kind: 'disk', path: '/nowhere' } } as const

/** Compiled, never run. */
function compiled(_body: () => unknown): void {}

test('a manager has in its type the tiers that its configuration has', () => {
  compiled(async () => {
    const one = await KvBlockManager.create({ model: MODEL, hostLayout })
    expectTypeOf(one).toEqualTypeOf<KvBlockManager<'host'>>()
    expectTypeOf(one.host).toEqualTypeOf<Tier<'host'>>()
    // @ts-expect-error there is no deviceLayout
    void one.device
    // @ts-expect-error there is no diskLayout
    void one.disk

    const two = await KvBlockManager.create({ model: MODEL, deviceLayout, diskLayout })
    expectTypeOf(two).toEqualTypeOf<KvBlockManager<'device' | 'disk'>>()
    // @ts-expect-error there is no hostLayout
    void two.host

    const three = await KvBlockManager.create({ model: MODEL, deviceLayout, hostLayout, diskLayout })
    expectTypeOf(three).toEqualTypeOf<KvBlockManager<TierName>>()
    expectTypeOf(three.device).toEqualTypeOf<Tier<'device'>>()
    expectTypeOf(three).toExtend<KvBlockManager<'host'>>()
    expectTypeOf(one).not.toExtend<KvBlockManager<'host' | 'disk'>>()
  })
})

test('a builder carries its tiers, and a wide configuration has all three', () => {
  compiled(async () => {
    const built = KvBlockManagerConfig.builder().model(MODEL).hostLayout(hostLayout).build()
    expectTypeOf(await KvBlockManager.create(built)).toEqualTypeOf<KvBlockManager<'host'>>()
    const wide: ResolvedConfig = configFromEnvironment({})
    expectTypeOf(await KvBlockManager.create(wide)).toEqualTypeOf<KvBlockManager<TierName>>()
    const input = { model: MODEL, hostLayout } as ConfigInput
    expectTypeOf(await KvBlockManager.create(input)).toEqualTypeOf<KvBlockManager<TierName>>()
  })
})

test('a key that a configuration does not know does not compile', () => {
  compiled(() => {
    // @ts-expect-error hostLayuot is no key
    void KvBlockManager.create({ model: MODEL, hostLayuot: hostLayout })
    // @ts-expect-error retries is no setting
    void KvBlockManager.create({ model: MODEL, hostLayout }, { retries: 3 })
  })
})

test('events are told apart by their type', () => {
  compiled(async (manager?: Manager) => {
    for await (const event of manager!.events()) {
      expectTypeOf(event.sequence).toEqualTypeOf<number>()
      if (event.type === 'missed') expectTypeOf(event.count).toEqualTypeOf<number>()
      else if (event.type === 'tier-state') expectTypeOf(event.state).toEqualTypeOf<'ok' | 'degraded' | 'off'>()
      else if (event.type === 'removed') expectTypeOf(event.reason).toEqualTypeOf<'evicted' | 'discarded' | 'reset'>()
    }
  })
})

test('a wide configuration works; an absent tier throws by the name of its layout, and tiers lists the real ones', async () => {
  const wide: ResolvedConfig = KvBlockManagerConfig.parse({ model: MODEL, deviceLayout, hostLayout })
  await using manager = await KvBlockManager.create(wide)
  expect(manager.tiers).toEqual(['device', 'host'])
  expect(() => manager.disk).toThrow(TypeError)
  expect(() => manager.disk).toThrow('no diskLayout')
  expect(manager.device.numBlocks).toBe(2)
})
