import { createTransferRuntime } from '@kvbm/storage'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { KvBlockManager } from '../src/index.js'
import {
  compute,
  computeBelow,
  content,
  faultyWorld,
  MODEL,
  openManager,
  prompt,
  recordingLogger,
  temporaryDirectory,
} from './world.js'

const closed = expect.objectContaining({ code: 'KVBM_CLOSED' })

test('close is idempotent, two callers share it, and everything after it is refused by its code', async () => {
  const manager = await openManager({ device: 2, host: 4 })
  const { hashes, kept } = await compute(manager, 1)
  const lease = manager.match(hashes)
  const { host, device } = manager
  const fresh = device.allocate(1)
  kept.release()
  lease.release()
  fresh.release()
  await Promise.all([manager.close(), manager.close()])
  await manager.close()
  for (const call of [
    () => manager.match(hashes),
    () => manager.view(kept, 0),
    () => manager.gather(lease),
    () => manager.scatter(fresh),
    () => host.allocate(1),
    () => host.allocateUpTo(1),
    () => host.match(hashes),
    () => host.scan(hashes),
    () => host.touch(hashes),
  ])
    expect(call).toThrow(closed)
  for (const call of [
    () => manager.write(fresh, content(1)),
    () => manager.read(kept),
    () => manager.register(fresh, hashes),
    () => manager.offload(kept),
    () => manager.onboard(lease),
    () => host.acquire(1),
    () => host.reset(),
    () => host.resetBlocks(hashes),
  ])
    await expect(call()).rejects.toThrow(closed)
  await manager.settled()
  const status = manager.status()
  expect(status.state).toBe('closed')
  expect(JSON.parse(JSON.stringify(status))).toStrictEqual(status)
  expect([host.numBlocks, host.available]).toEqual([4, 4])
  expect(await manager.events().next()).toEqual({ done: true, value: undefined })
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
  expect([edge.queued, edge.running, manager.backlog]).toEqual([0, 0, 0])
  expect(edge.drops.closed).toBeGreaterThan(0)
})

test('close waits for a write, a read and a hand-over that run, and lets them end well', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ host: 4, disk: { numBlocks: 4, path: dir.path } })
  const { manager, faults } = world
  const { bytes, kept } = await compute(manager, 2)
  const fresh = manager.host.allocate(1)
  const hold = faults.hold()
  const reading = manager.read(kept)
  const writing = manager.write(fresh, content(1, 9))
  await hold.reached(2)
  let isClosed = false
  const closing = manager.close().then(() => {
    isClosed = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect([isClosed, manager.status().state, manager.status().transfers.running]).toEqual([false, 'closing', 2])
  hold.release()
  expect(Buffer.from(await reading)).toEqual(Buffer.from(bytes))
  await writing
  kept.release()
  fresh.release()
  await closing
})

test('close ends an explicit offload after the copy that runs, and what was not copied is counted', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({
    host: 8,
    disk: { numBlocks: 8, path: dir.path },
    settings: { transferBatchMax: 2 },
  })
  const { manager, faults, regions } = world
  const { kept } = await compute(manager, 6)
  const hold = faults.hold({ region: regions.disk, operation: 'write' })
  const outcome = expect(manager.offload(kept)).rejects.toThrow(closed)
  await hold.reached()
  const closing = manager.close()
  kept.release()
  hold.release()
  await outcome
  await closing
  expect(manager.status().edges['host-disk']).toMatchObject({ blocks: 2, drops: { closed: 4 } })
})

test('close ends waits for blocks and for staging', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({
    host: 4,
    disk: { numBlocks: 4, path: dir.path },
    settings: { stagingBytes: 8192 },
  })
  const { manager, faults, regions } = world
  const below = await computeBelow(manager, 'disk', 1)
  const blocks = manager.disk.match(below.hashes)
  const all = manager.host.allocate(4)
  const waiting = expect(manager.host.acquire(1)).rejects.toThrow(closed)
  const hold = faults.hold({ region: regions.disk, operation: 'read' })
  const first = manager.read(blocks)
  await hold.reached()
  const second = expect(manager.read(blocks)).rejects.toThrow(closed)
  const closing = manager.close()
  await waiting
  await second
  hold.release()
  expect(Buffer.from(await first)).toEqual(Buffer.from(below.bytes))
  all.release()
  blocks.release()
  await closing
})

test('close says how many blocks of which tier are still held, and so does their pool', async () => {
  const warned = vi.spyOn(process, 'emitWarning').mockReturnValue(undefined)
  await using world = await faultyWorld({ device: 4, host: 4 })
  const { manager, log } = world
  const { kept } = await compute(manager, 3)
  await manager.offload(kept)
  await manager.close()
  expect(log.filter((line) => line.startsWith('warn: The manager closes'))).toEqual([
    'warn: The manager closes while 3 device blocks are held. Release handles and leases before close().',
  ])
  expect(warned.mock.calls.map(([message]) => message)).toEqual([
    'A block pool was closed while 3 blocks were held by 1 handles. Release handles before close().',
  ])
  kept.release()
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
  expect(manager.status().state).toBe('closing')
  await manager.close()
  expect(manager.status().state).toBe('closed')
})

test('a runtime that several managers share is closed by none of them', async () => {
  await using asyncRuntime = createTransferRuntime({ threads: 2 })
  const open = () => openManager({ more: { hostLayout: { numBlocks: 2 }, runtime: { workerId: 0, asyncRuntime } } })
  const [one, two] = [await open(), await open()]
  await one.close()
  const { bytes, kept } = await compute(two, 2)
  expect(Buffer.from(await two.read(kept))).toEqual(Buffer.from(bytes))
  kept.release()
  await two.close()
  expect(asyncRuntime.closed).toBe(false)
  expect(asyncRuntime.stats().jobs).toBeGreaterThan(0)
})

test('a manager with threads of its own ends them, and disposal is closing', async () => {
  let kept: { status(): { state: string } }
  {
    await using manager = await KvBlockManager.create({ model: MODEL, hostLayout: { numBlocks: 2 } })
    kept = manager
    using fresh = manager.host.allocate(1)
    await manager.write(fresh, content(1))
    using named = fresh.register(manager.hash(prompt(1)))
    using lease = manager.match(named.hashes)
    expect(lease.count).toBe(1)
  }
  expect(kept.status().state).toBe('closed')
})

test('a close that fails rejects, frees the rest, and fails the same way for a second caller', async () => {
  using dir = temporaryDirectory()
  const { DiskAllocator } = await import('@kvbm/storage')
  const allocator = new DiskAllocator(dir.path)
  const openSlots = allocator.openSlots.bind(allocator)
  allocator.openSlots = async (options) => {
    const slots = await openSlots(options)
    const close = slots.close.bind(slots)
    slots.close = async () => {
      await close()
      throw new Error('the disk did not like it')
    }
    return slots
  }
  const disk = { numBlocks: 2, path: dir.path }
  const manager = await openManager({ host: 2, more: { diskLayout: { numBlocks: 2, allocator } } })
  await expect(manager.close()).rejects.toThrow('the disk did not like it')
  await expect(manager.close()).rejects.toThrow('the disk did not like it')
  expect(manager.status().state).toBe('closed')
  await using again = await openManager({ disk })
  expect(again.tiers).toEqual(['disk'])
})

test('a close on abort that fails is logged, for nobody awaits it', async () => {
  const log: string[] = []
  const controller = new AbortController()
  const manager = await openManager({
    more: {
      hostLayout: {
        numBlocks: 2,
        allocator: failingToClose(),
      },
      runtime: { workerId: 0, signal: controller.signal, logger: recordingLogger(log) },
    },
  })
  controller.abort()
  await expect(manager.close()).rejects.toThrow('cannot be freed')
  await Promise.resolve()
  expect(log.filter((line) => line.startsWith('error: Closing on abort failed'))).toHaveLength(1)
})

test('what a listener throws while the manager closes stops nothing', async () => {
  const manager = await openManager({ host: 2 })
  manager.onEvent(() => {
    throw new Error('boom')
  })
  await manager.close()
  expect(manager.status().state).toBe('closed')
})

function failingToClose() {
  return {
    kind: 'system' as const,
    describe: () => 'memory that cannot be freed',
    allocate: async (request: { sizeBytes: number }) => {
      const { SystemAllocator } = await import('@kvbm/storage')
      const storage = await new SystemAllocator().allocate(request)
      const close = storage.close.bind(storage)
      storage.close = async () => {
        await close()
        throw new Error('cannot be freed')
      }
      return storage
    },
  }
}

/** Nobody waits for ten seconds here. */
async function untilClosed(closing: Promise<void>): Promise<void> {
  let isClosed = false
  void closing.then(() => {
    isClosed = true
  })
  while (!isClosed) {
    vi.advanceTimersByTime(1000)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('a copy that hangs does not keep close waiting beyond its deadline; its memory stays until it ends, then all is freed', async () => {
  using dir = temporaryDirectory()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  await using world = await faultyWorld({
    host: 4,
    disk: { numBlocks: 4, path: dir.path },
    settings: { transferDeadlineMs: 100_000 },
  })
  const { manager, faults, regions, log } = world
  const { kept } = await compute(manager, 2)
  const view = manager.view(kept, 0) as Uint8Array
  const hold = faults.hold({ region: regions.disk, operation: 'write' })
  const offloading = manager.offload(kept)
  await hold.reached()
  kept.release()
  await untilClosed(manager.close())
  expect(manager.status()).toMatchObject({ state: 'closed', transfers: { running: 1, abandoned: 1 } })
  expect(view.byteLength).toBeGreaterThan(0)
  expect(log).toContainEqual(expect.stringMatching(/^warn: 1 copies still run 10000 ms after close/))
  await expect(openManager({ disk: { numBlocks: 4, path: dir.path } })).rejects.toMatchObject({
    code: 'KVBM_DIRECTORY_LOCKED',
  })

  hold.release()
  expect(await offloading).toMatchObject({ copied: 2 })
  while (view.byteLength > 0) await new Promise((resolve) => setImmediate(resolve))
  expect(manager.status().transfers.running).toBe(0)
  await using again = await reopened({ numBlocks: 4, path: dir.path })
  expect(again.status().tiers.disk?.blocks.inactive).toBe(2)
})

/** The lock goes a moment after the memory. */
async function reopened(disk: { numBlocks: number; path: string }) {
  for (;;) {
    try {
      return await openManager({ disk })
    } catch (error) {
      expect(error).toMatchObject({ code: 'KVBM_DIRECTORY_LOCKED' })
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

beforeEach(() => void vi.useRealTimers())
afterEach(() => void vi.useRealTimers().restoreAllMocks())
