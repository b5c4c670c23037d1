import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import type { ManagerEvent } from '../src/index.js'
import { METRICS } from '../src/metrics.js'
import { compute, openManager } from './world.js'

test('events are numbered without gaps, stored comes before removed, and parents before children', async () => {
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

test('events can be read as an async iterable that ends with its signal and with the manager', async () => {
  const manager = await openManager({ host: 4 })
  const controller = new AbortController()
  const read = async (signal?: AbortSignal): Promise<string[]> => {
    const types: string[] = []
    for await (const event of manager.events(signal === undefined ? {} : { signal })) types.push(event.type)
    return types
  }
  const bySignal = read(controller.signal)
  const byClose = read()
  await Promise.resolve()
  const { kept } = await compute(manager, 1)
  kept.release()
  controller.abort()
  expect(await bySignal).toEqual(['stored'])
  await manager.close()
  expect(await byClose).toEqual(['stored'])
})

test('a listener that throws harms nobody', async () => {
  const complaints: string[] = []
  const logger = {
    debug: () => {},
    info: () => {},
    warn: () => {},
    error: (message: string) => complaints.push(message),
  }
  await using manager = await openManager({ more: { hostLayout: { numBlocks: 4 }, runtime: { workerId: 0, logger } } })
  manager.onEvent(() => {
    throw new Error('boom')
  })
  const { kept } = await compute(manager, 1)
  expect(complaints).toEqual([expect.stringContaining('boom')])
  kept.release()
})

test('two managers on one registry are told apart by worker_id, and leave with close', async () => {
  const registry = new Registry()
  const open = (workerId: number) =>
    openManager({
      more: {
        deviceLayout: { numBlocks: 4 },
        hostLayout: { numBlocks: 4 },
        runtime: { workerId, metricsRegistry: registry },
      },
    })
  const one = await open(1)
  await using two = await open(2)
  const { kept } = await compute(one, 3)
  await one.settled()
  const text = await registry.metrics()
  expect(text).toContain('kvbm_registrations_total{worker_id="1",tier="device"} 3')
  expect(text).toContain('kvbm_registrations_total{worker_id="2",tier="device"} 0')
  expect(text).toContain('kvbm_transferred_blocks_total{worker_id="1",src="device",dst="host"} 3')
  for (const { name } of METRICS) expect(text).toContain(`# HELP ${name} `)
  kept.release()
  await one.close()
  expect(await registry.metrics()).not.toContain('worker_id="1"')
  expect(two.tiers).toEqual(['device', 'host'])
})

test('status is plain JSON and says what each tier holds', async () => {
  await using manager = await openManager({ host: 4 })
  const { kept } = await compute(manager, 3)
  const status = JSON.parse(JSON.stringify(manager.status()))
  expect(status.tiers.host).toMatchObject({
    state: 'ok',
    blocks: { total: 4, free: 1, held: 3, inactive: 0, quarantined: 0 },
  })
  expect(status.settings.transferDeadlineMs).toBe(30_000)
  kept.release()
})
