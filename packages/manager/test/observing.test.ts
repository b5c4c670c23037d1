import type { BlockEvent } from '@kvbm/core'
import { Registry } from 'prom-client'
import { expect, test, vi } from 'vitest'
import { BUFFERED_EVENTS_MAX } from '../src/event-reader.js'
import type { ManagerEvent } from '../src/index.js'
import { METRICS } from '../src/metrics.js'
import { compute, computeBelow, faultyWorld, MODEL, openManager, prompt, temporaryDirectory } from './world.js'

test('events are numbered without gaps, and stored comes before removed', async () => {
  await using manager = await openManager({ host: 2 })
  const seen: ManagerEvent[] = []
  manager.onEvent((event) => seen.push(event))
  const first = await compute(manager, 2, 1)
  first.kept.release()
  const second = await compute(manager, 2, 2)
  second.kept.release()
  expect(seen.map((event) => event.sequence)).toEqual(seen.map((_, index) => index))
  const [stored, removed] = seen
  expect(stored).toMatchObject({ type: 'stored', tier: 'host' })
  expect(stored!.type === 'stored' && stored!.hashes.toHexArray()).toEqual(first.hashes.toHexArray())
  expect(removed).toMatchObject({ type: 'removed', tier: 'host', reason: 'evicted' })
  expect(seen.filter((event) => event.type === 'stored')).toHaveLength(2)
})

test('stored and removed alternate for every block of every tier, parents before children', async () => {
  using dir = temporaryDirectory()
  await using manager = await openManager({ device: 4, host: 6, disk: { numBlocks: 16, path: dir.path } })
  const present = new Set<string>()
  const wrong: string[] = []
  manager.onEvent((event) => {
    if (event.type !== 'stored' && event.type !== 'removed') return
    for (const name of event.hashes.toHexArray().map((hex) => `${event.tier} ${hex}`)) {
      if (present.has(name) !== (event.type === 'removed')) wrong.push(`${event.type} ${name}`)
      if (event.type === 'stored') present.add(name)
      else present.delete(name)
    }
  })
  for (const seed of [1, 2, 3, 1, 4, 2]) {
    const hashes = manager.hash(prompt(3, seed))
    using lease = manager.match(hashes)
    using resident = await manager.onboard(lease)
    if (resident.count === 0) (await compute(manager, 3, seed)).kept.release()
    await manager.settled()
  }
  expect(wrong).toEqual([])
  for (const tier of manager.tiers) {
    const { inactive, held } = manager.status().tiers[tier]!.blocks
    expect([...present].filter((name) => name.startsWith(tier))).toHaveLength(inactive + held)
  }
})

test('a block taken out of use is removed first, then announced as corrupt', async () => {
  await using world = await faultyWorld({ device: 2, host: 2 })
  const { manager } = world
  const { hashes } = await computeBelow(manager, 'host', 1)
  {
    using below = manager.host.match(hashes)
    ;(manager.view(below, 0) as Uint8Array)[0]! ^= 1
  }
  const seen: string[] = []
  manager.onEvent((event) => seen.push(event.type === 'removed' ? `removed ${event.reason}` : event.type))
  using lease = manager.match(hashes)
  using _none = await manager.onboard(lease)
  expect(seen).toEqual(['removed discarded', 'corrupt'])
})

test('events are kept from the call on, not from the first look', async () => {
  await using manager = await openManager({ host: 4 })
  await using reader = manager.events()
  const { kept } = await compute(manager, 1)
  kept.release()
  expect(await reader.next()).toMatchObject({ done: false, value: { type: 'stored', sequence: 0 } })
})

test('an iteration ends with its signal and with the manager, after what was there', async () => {
  const manager = await openManager({ host: 4 })
  const controller = new AbortController()
  const bySignal = typesOf(manager.events({ signal: controller.signal }))
  const byClose = typesOf(manager.events())
  const { kept } = await compute(manager, 1)
  kept.release()
  controller.abort()
  expect(await bySignal).toEqual(['stored'])
  await manager.host.reset()
  await manager.close()
  expect(await byClose).toEqual(['stored', 'removed'])
  expect(await typesOf(manager.events({ signal: AbortSignal.abort() }))).toEqual([])
})

async function typesOf(events: AsyncIterable<ManagerEvent>): Promise<string[]> {
  const types: string[] = []
  for await (const event of events) types.push(event.type)
  return types
}

test('a reader that leaves its loop gets nothing more, and several calls of next are answered in turn', async () => {
  await using manager = await openManager({ host: 4 })
  const reader = manager.events()
  const both = Promise.all([reader.next(), reader.next()])
  for (const seed of [1, 2]) (await compute(manager, 1, seed)).kept.release()
  expect((await both).map(({ value }) => value?.sequence)).toEqual([0, 1])
  for await (const _ of startWith(manager.events(), () => compute(manager, 1, 3).then(({ kept }) => kept.release())))
    break
  await reader.return?.()
  expect(await reader.next()).toEqual({ done: true, value: undefined })
})

function startWith<T>(events: AsyncIterableIterator<T, undefined>, act: () => Promise<void>): AsyncIterable<T> {
  void act()
  return events
}

test('a slow reader is told how many events it missed, and goes on with the newest', async () => {
  await using manager = await openManager({ host: 1 })
  const reader = manager.events()
  const hashes = manager.hash(prompt(1))
  // Every round is one `stored` and one `removed`.
  for (let round = 0; round < BUFFERED_EVENTS_MAX / 2 + 3; round++) {
    manager.host.allocate(1).register(hashes).release()
    await manager.host.resetBlocks(hashes)
  }
  expect((await reader.next()).value).toEqual({ type: 'missed', count: 6, sequence: 6 })
  expect((await reader.next()).value).toMatchObject({ type: 'stored', sequence: 6 })
  expect((await reader.next()).value).toMatchObject({ type: 'removed', sequence: 7 })
})

test('a listener can be added twice and leave once; one that throws harms nobody', async () => {
  const log: string[] = []
  await using world = await faultyWorld({ host: 4 })
  const { manager } = world
  const listener = (event: ManagerEvent): void => void log.push(event.type)
  const leave = manager.onEvent(listener)
  manager.onEvent(listener)
  manager.onEvent(() => {
    throw new Error('boom')
  })
  leave()
  leave()
  const { kept } = await compute(manager, 1)
  expect(log).toEqual(['stored'])
  expect(world.log.filter((line) => line.startsWith('error'))).toEqual([expect.stringContaining('boom')])
  kept.release()
})

test('the event manager of the configuration gets block events, also of what a disk had; what it throws is logged', async () => {
  using dir = temporaryDirectory()
  const disk = { numBlocks: 4, path: dir.path }
  const before = await openManager({ host: 4, disk })
  const { hashes, kept } = await compute(before, 2)
  await before.settled()
  kept.release()
  await before.close()
  const events: BlockEvent[] = []
  const eventManager = {
    publish: (event: BlockEvent) => {
      events.push(event)
      throw new Error('not today')
    },
  }
  await using after = await openManager({ disk, more: { eventManager } })
  expect(events).toMatchObject([{ type: 'stored', tier: 'disk' }])
  expect(events[0]!.hashes.toHexArray()).toEqual(hashes.toHexArray())
  using lease = after.match(hashes)
  expect(lease.count).toBe(2)
})

test('an async listener or event manager that rejects is logged, and the process goes on', async () => {
  const later = (what: string) => async (): Promise<never> => {
    throw new Error(`${what} later`)
  }
  await using world = await faultyWorld({ host: 4, more: { eventManager: { publish: later('published') } } })
  world.manager.onEvent(later('heard'))
  const { kept } = await compute(world.manager, 1)
  await new Promise(setImmediate)
  expect(world.log.filter((line) => line.startsWith('error'))).toEqual([
    expect.stringContaining('published later'),
    expect.stringContaining('heard later'),
  ])
  kept.release()
})

test.each([
  ['throws', () => fail()],
  ['rejects', async () => fail()],
])('a logger that %s neither keeps a manager from opening nor fails a call; it is said once', async (_, level) => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  using dir = temporaryDirectory()
  const logger = { debug: level, info: level, warn: level, error: level }
  const more = { runtime: { workerId: 0, logger }, deviceLayout: { numBlocks: 4 }, hostLayout: { numBlocks: 2 } }
  await using manager = await openManager({ disk: { numBlocks: 2, path: dir.path }, more })
  manager.onEvent(fail)
  const { kept } = await compute(manager, 1)
  await manager.settled()
  expect(warn).toHaveBeenCalledExactlyOnceWith(
    expect.stringContaining('no room for logs'),
    expect.objectContaining({ code: 'KVBM_LOGGER_FAILED' }),
  )
  kept.release()
  await manager.close()
  warn.mockRestore()
})

function fail(): never {
  throw new Error('no room for logs')
}

test('console and a logger with levels of its own fit, and are called as methods', async () => {
  class Levels {
    readonly lines: string[] = []
    debug(message: string): void {
      this.lines.push(`20 ${message}`)
    }
    info(message: string): void {
      this.lines.push(`30 ${message}`)
    }
    warn(message: string): void {
      this.lines.push(`40 ${message}`)
    }
    error(message: string): void {
      this.lines.push(`50 ${message}`)
    }
  }
  const logger = new Levels()
  const open = (given: object) =>
    openManager({
      more: { deviceLayout: { numBlocks: 4 }, hostLayout: { numBlocks: 2 }, runtime: { workerId: 0, ...given } },
    })
  await (await open({ logger })).close()
  expect(logger.lines).toContainEqual(expect.stringMatching(/^40 hostLayout\.numBlocks/))
  const real = console.warn
  const warned: unknown[] = []
  console.warn = (message: unknown) => void warned.push(message)
  try {
    await (await open({ logger: console })).close()
    await (await open({})).close()
  } finally {
    console.warn = real
  }
  expect(warned).toHaveLength(1)
})

async function onRegistry(registry: Registry, workerId: number) {
  const deviceLayout = { numBlocks: 4 }
  const runtime = { workerId, metricsRegistry: registry }
  return openManager({ more: { deviceLayout, hostLayout: { numBlocks: 4 }, runtime } })
}

test('two managers on one registry are told apart by worker_id, and leave with close', async () => {
  const registry = new Registry()
  const one = await onRegistry(registry, 1)
  await using two = await onRegistry(registry, 2)
  const { kept } = await compute(one, 3)
  await one.settled()
  const text = await registry.metrics()
  expect(text).toContain('kvbm_registrations_total{worker_id="1",tier="device"} 3')
  expect(text).toContain('kvbm_registrations_total{worker_id="2",tier="device"} 0')
  expect(text).toContain('kvbm_transferred_blocks_total{worker_id="1",src="device",dst="host"} 3')
  for (const { name } of METRICS) expect(text).toContain(`# HELP ${name} `)
  kept.release()
  const closing = one.close()
  await Promise.resolve()
  expect(await registry.metrics()).not.toContain('worker_id="1"')
  await closing
  expect(await registry.metrics()).toContain('worker_id="2"')
  expect(two.tiers).toEqual(['device', 'host'])
})

test('the same worker twice on one registry is an error of the configuration; after close the number is free', async () => {
  const registry = new Registry()
  const first = await onRegistry(registry, 7)
  await expect(onRegistry(registry, 7)).rejects.toMatchObject({
    code: 'KVBM_CONFIG_INVALID',
    issues: [{ path: 'runtime.workerId', value: 7 }],
  })
  expect((await registry.metrics()).match(/kvbm_requested_blocks_total\{worker_id="7"\} 0/g)).toHaveLength(1)
  await first.close()
  await using _second = await onRegistry(registry, 7)
  expect(await registry.metrics()).toContain('worker_id="7"')
})

test('names that somebody else took are an error, and the registry stays as it was', async () => {
  const registry = new Registry()
  const { Gauge } = await import('prom-client')
  new Gauge({ name: 'kvbm_tier_up', help: 'mine', registers: [registry] })
  await expect(onRegistry(registry, 1)).rejects.toMatchObject({ issues: [{ path: 'runtime.metricsRegistry' }] })
  expect(registry.getMetricsAsArray().map(({ name }) => name)).toEqual(['kvbm_tier_up'])
})

test('a registry that its owner cleared shows the next manager all the same', async () => {
  const registry = new Registry()
  await using _one = await onRegistry(registry, 1)
  registry.clear()
  await using _two = await onRegistry(registry, 2)
  const text = await registry.metrics()
  expect(text).toContain('kvbm_blocks{worker_id="1"')
  expect(text).toContain('kvbm_blocks{worker_id="2"')
})

test('a degraded tier and what was dropped show in the metrics', async () => {
  using dir = temporaryDirectory()
  const registry = new Registry()
  const { createTransferRuntime } = await import('@kvbm/storage')
  const { withFaults } = await import('@kvbm/native/testing')
  const { loadBinding } = await import('@kvbm/native')
  const { binding, faults } = withFaults(loadBinding())
  await using asyncRuntime = createTransferRuntime({ binding })
  await using manager = await openManager({
    host: 4,
    disk: { numBlocks: 4, path: dir.path },
    more: { runtime: { workerId: 3, metricsRegistry: registry, asyncRuntime } },
  })
  faults.fail({ operation: 'reserve', code: 'ENOSPC' })
  const { kept } = await compute(manager, 2)
  await manager.settled()
  const text = await registry.metrics()
  expect(text).toContain('kvbm_tier_up{worker_id="3",tier="disk"} 0')
  expect(text).toContain('kvbm_dropped_blocks_total{worker_id="3",src="host",dst="disk",reason="io-error"} 2')
  kept.release()
})

test('status is plain JSON and says what each tier holds', async () => {
  using dir = temporaryDirectory()
  await using manager = await openManager({ device: 4, host: 4, disk: { numBlocks: 4, path: dir.path } })
  const { kept } = await compute(manager, 3)
  await manager.settled()
  using _all = manager.host.allocate(1)
  const waiting = manager.host.acquire(4)
  const status = manager.status()
  expect(JSON.parse(JSON.stringify(status))).toStrictEqual(status)
  expect(status).toMatchObject({ state: 'open', workerId: 0, modelId: MODEL.modelId, off: {} })
  expect(status.tiers.device).toMatchObject({
    state: 'ok',
    reason: '',
    lastError: '',
    blocks: { total: 4, free: 1, held: 3, inactive: 0, quarantined: 0 },
    layout: 'fully-contiguous',
    usedBytes: 3 * 8192,
    capacityBytes: 4 * 8192,
  })
  expect(status.tiers.host?.waiting).toBe(1)
  expect(status.tiers.disk?.storages[0]?.facts).toMatchObject({ slots: 4 })
  expect(status.settings.transferDeadlineMs).toBe(30_000)
  kept.release()
  _all.release()
  ;(await waiting).release()
})
