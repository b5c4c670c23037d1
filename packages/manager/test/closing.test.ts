import { expect, test } from 'vitest'
import { KvBlockManager } from '../src/index.js'
import { compute, MODEL, openManager, prompt, temporaryDirectory } from './world.js'

test('close is idempotent, two callers share it, and everything after it is refused', async () => {
  const manager = await openManager({ host: 4 })
  const hashes = manager.hash(prompt(2))
  await Promise.all([manager.close(), manager.close()])
  await manager.close()
  expect(() => manager.match(hashes)).toThrow(expect.objectContaining({ code: 'KVBM_CLOSED' }))
  await expect(manager.onboard(undefined as never)).rejects.toMatchObject({ code: 'KVBM_CLOSED' })
  expect(() => manager.host.allocate(1)).toThrow(expect.objectContaining({ code: 'KVBM_CLOSED' }))
  expect(manager.status().state).toBe('closed')
})

test('close with copies in flight waits for them and drops what is queued', async () => {
  using dir = temporaryDirectory()
  const manager = await openManager({
    device: 64,
    host: 64,
    disk: { numBlocks: 64, path: dir.path },
    settings: { transferBatchMax: 2, offloadConcurrency: 1 },
  })
  const { kept } = await compute(manager, 64)
  await Promise.resolve()
  kept.release()
  await manager.close()
  const edge = manager.status().edges['device-host']!
  expect(edge.blocks + Object.values(edge.drops).reduce((a, b) => a + b, 0)).toBe(64)
  expect(edge.running).toBe(0)
})

test('a view is empty after close, so nothing dangles', async () => {
  const manager = await openManager({ host: 4 })
  const { kept } = await compute(manager, 1)
  const view = manager.view(kept, 0) as Uint8Array
  expect(view.byteLength).toBeGreaterThan(0)
  kept.release()
  await manager.close()
  expect(view.byteLength).toBe(0)
})

test('aborting the signal of the configuration closes the manager', async () => {
  const controller = new AbortController()
  const manager = await openManager({
    more: { hostLayout: { numBlocks: 4 }, runtime: { workerId: 0, signal: controller.signal } },
  })
  controller.abort()
  await manager.close()
  expect(manager.status().state).toBe('closed')
})

test('create gives back everything when a later part fails: the directory can be opened again', async () => {
  using dir = temporaryDirectory()
  const diskLayout = { numBlocks: 4, allocator: { kind: 'disk', path: dir.path } } as const
  const failing = {
    model: MODEL,
    deviceLayout: { numBlocks: 4, allocator: { kind: 'device', device: 'cuda:7' } },
    diskLayout,
  } as const
  await expect(KvBlockManager.create(failing)).rejects.toMatchObject({ code: 'KVBM_DEVICE_UNAVAILABLE' })
  const required = {
    model: MODEL,
    diskLayout,
    runtime: { workerId: 0, nixl: { mode: 'enabled', required: true, explicit: true } },
  } as const
  await expect(KvBlockManager.create(required as never)).rejects.toMatchObject({ code: 'KVBM_NIXL_UNAVAILABLE' })
  await using manager = await KvBlockManager.create({ model: MODEL, diskLayout })
  expect(manager.tiers).toEqual(['disk'])
})

test('a layout that is sharded over workers is refused by name', async () => {
  const config = { model: MODEL, deviceLayout: { numBlocks: 4, logical: 'leader-worker-sharded' } } as const
  await expect(KvBlockManager.create(config as never)).rejects.toMatchObject({ code: 'KVBM_SHARDING_UNAVAILABLE' })
})

test('an absent tier throws and names the missing layout', async () => {
  await using manager = await openManager({ host: 4 })
  expect(() => manager.device).toThrow(/no device tier.*deviceLayout.*host/)
})
