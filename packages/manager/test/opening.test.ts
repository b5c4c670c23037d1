import { createPortableBinding } from '@kvbm/native'
import { withFaults } from '@kvbm/native/testing'
import { createTransferRuntime, DiskAllocator, SystemAllocator, wrapMemory } from '@kvbm/storage'
import { Registry } from 'prom-client'
import { expect, expectTypeOf, test } from 'vitest'
import { DEFAULT_SETTINGS, KvBlockManager, type ManagerSettings } from '../src/index.js'
import { BLOCK_BYTES, compute, faultyWorld, MODEL, openManager, recordingLogger, temporaryDirectory } from './world.js'

/** Memory and locks that were taken are given back: the directory can be opened, and nothing is left of the runtime. */
async function expectNothingLeft(path: string): Promise<void> {
  await using manager = await openManager({ disk: { numBlocks: 4, path } })
  expect(manager.tiers).toEqual(['disk'])
}

test('a device that is not here, found out last, leaves nothing open', async () => {
  using dir = temporaryDirectory()
  const closed: string[] = []
  const deviceLayout = { numBlocks: 4, allocator: watchedAllocator(closed) }
  const failing = {
    model: MODEL,
    deviceLayout,
    hostLayout: { numBlocks: 4 },
    diskLayout: { numBlocks: 4, allocator: { kind: 'disk', path: `${dir.path}/file` } },
  } as const
  const { writeFileSync } = await import('node:fs')
  writeFileSync(`${dir.path}/file`, 'a file where a directory should be')
  await expect(KvBlockManager.create(failing as never)).rejects.toMatchObject({ code: 'KVBM_DIRECTORY_FOREIGN' })
  expect(closed).toEqual(['device'])
  await expect(
    KvBlockManager.create({
      model: MODEL,
      deviceLayout: { numBlocks: 4, allocator: { kind: 'device', device: 'cuda:7' } },
    }),
  ).rejects.toMatchObject({ code: 'KVBM_DEVICE_UNAVAILABLE' })
})

test.each([
  [
    'NIXL that is required and not here',
    { runtime: { workerId: 0, nixl: { mode: 'enabled', required: true } } },
    { code: 'KVBM_NIXL_UNAVAILABLE' },
  ],
  [
    'a registry whose names are taken',
    { runtime: { workerId: 0, metricsRegistry: takenRegistry() } },
    { code: 'KVBM_CONFIG_INVALID', message: expect.stringMatching(/runtime\.metricsRegistry.*kvbm_used_bytes/s) },
  ],
])('%s, found out after the tiers, gives the directory back', async (_, more, expected) => {
  using dir = temporaryDirectory()
  await expect(openManager({ disk: { numBlocks: 4, path: dir.path }, more })).rejects.toMatchObject(expected)
  await expectNothingLeft(dir.path)
})

function takenRegistry(): Registry {
  const registry = new Registry()
  registry.registerMetric({ name: 'kvbm_used_bytes', get: async () => ({ values: [] }) } as never)
  return registry
}

function watchedAllocator(closed: string[]) {
  return {
    kind: 'device' as const,
    describe: () => 'watched',
    allocate: async (request: { sizeBytes: number; label?: string }) => {
      const storage = await new SystemAllocator().allocate(request)
      const close = storage.close.bind(storage)
      storage.close = async () => {
        closed.push(request.label ?? '')
        await close()
      }
      return Object.assign(storage, { kind: 'device' })
    },
  }
}

test('a directory that another manager uses is refused, and the other one goes on', async () => {
  using dir = temporaryDirectory()
  await using manager = await openManager({ host: 2, disk: { numBlocks: 4, path: dir.path } })
  await expect(openManager({ host: 2, disk: { numBlocks: 4, path: dir.path } })).rejects.toMatchObject({
    code: 'KVBM_DIRECTORY_LOCKED',
  })
  const { kept } = await compute(manager, 2)
  await manager.settled()
  expect(manager.status().edges['host-disk']?.blocks).toBe(2)
  kept.release()
})

test('a signal that is aborted before or while the manager opens rejects with its reason and leaves nothing', async () => {
  using dir = temporaryDirectory()
  const reason = new Error('not any more')
  const open = (signal: AbortSignal) =>
    openManager({ disk: { numBlocks: 4, path: dir.path }, more: { runtime: { workerId: 0, signal } } })
  await expect(open(AbortSignal.abort(reason))).rejects.toBe(reason)
  const controller = new AbortController()
  const opening = open(controller.signal)
  controller.abort(reason)
  await expect(opening).rejects.toBe(reason)
  await expectNothingLeft(dir.path)
})

test('a layout that is spread over workers is refused by name, before anything is opened', async () => {
  using dir = temporaryDirectory()
  for (const logical of ['leader-worker-sharded', 'leader-worker-replicated'] as const)
    await expect(
      KvBlockManager.create({ model: MODEL, deviceLayout: { numBlocks: 4, logical } }),
    ).rejects.toMatchObject({
      code: 'KVBM_SHARDING_UNAVAILABLE',
      message: expect.stringContaining('deviceLayout.logical'),
    })
  await expectNothingLeft(dir.path)
})

test('memory of another runtime is refused, before a byte of it is read as something else', async () => {
  await using asyncRuntime = createTransferRuntime({ binding: createPortableBinding() })
  await using other = createTransferRuntime({ binding: createPortableBinding() })
  const memory = wrapMemory(new Uint8Array(4 * 8192), { runtime: other })
  const runtime = { workerId: 0, asyncRuntime }
  await expect(openManager({ more: { runtime, hostLayout: { numBlocks: 4, storage: [memory] } } })).rejects.toThrow(
    /^hostLayout: region \d+ is unknown to this manager's transfer runtime/,
  )
  await memory.close()
  using dir = temporaryDirectory()
  const allocator = new DiskAllocator(dir.path, { runtime: other })
  await expect(openManager({ more: { runtime, diskLayout: { numBlocks: 4, allocator } } })).rejects.toThrow(
    /^diskLayout/,
  )
  await expectNothingLeft(dir.path)
})

test('what is no runtime of ours is an error of the configuration; a closed one says that it is closed', async () => {
  const foreign = { submit: async () => {}, stats: () => ({}), close: async () => {} }
  await expect(
    openManager({ more: { hostLayout: { numBlocks: 1 }, runtime: { workerId: 0, asyncRuntime: foreign } } }),
  ).rejects.toMatchObject({ code: 'KVBM_CONFIG_INVALID', issues: [{ path: 'runtime.asyncRuntime' }] })
  const asyncRuntime = createTransferRuntime()
  await asyncRuntime.close()
  await expect(
    openManager({ more: { hostLayout: { numBlocks: 1 }, runtime: { workerId: 0, asyncRuntime } } }),
  ).rejects.toMatchObject({ code: 'KVBM_CLOSED' })
})

test('runtime.native decides the binding', async () => {
  await using manager = await openManager({
    more: { hostLayout: { numBlocks: 1 }, runtime: { workerId: 0, native: 'portable' } },
  })
  expect(manager.status().binding).toBe('portable')
  const { bytes, kept } = await compute(manager, 1)
  expect(Buffer.from(await manager.read(kept))).toEqual(Buffer.from(bytes))
  kept.release()
})

test('a disk tier that cannot be locked is off with a reason, and the other tiers go on', async () => {
  using dir = temporaryDirectory()
  const { binding, faults } = withFaults(createPortableBinding())
  await using asyncRuntime = createTransferRuntime({ binding })
  const log: string[] = []
  const runtime = { workerId: 0, asyncRuntime, logger: recordingLogger(log) }
  const disk = { numBlocks: 4, path: dir.path }
  faults.fail({ operation: 'lock', code: 'EIO', times: 2 })
  await using manager = await openManager({ host: 4, disk, more: { runtime } })
  expect(manager.tiers).toEqual(['host'])
  expect(manager.status().off).toEqual({
    disk: expect.stringMatching(/two processes could damage each other's blocks/),
  })
  expect(log).toContainEqual(expect.stringMatching(/^warn: The disk tier is off: /))
  expect(() => manager.disk).toThrow(/no disk tier: .*two processes/)
  const { kept } = await compute(manager, 2)
  await manager.settled()
  kept.release()
  await expect(openManager({ disk, more: { runtime } })).rejects.toMatchObject({ code: 'KVBM_STORAGE_IO' })
})

test('an absent tier throws and names the missing layout', async () => {
  await using manager = await openManager({ host: 4 })
  for (const tier of ['device', 'disk'] as const) {
    expect(() => manager[tier]).toThrow(TypeError)
    expect(() => manager[tier]).toThrow(new RegExp(`no ${tier} tier: .*no ${tier}Layout. It has: host`))
  }
})

test('settings have defaults, show in status, and are refused when they cannot be', async () => {
  await using manager = await openManager({ host: 1, settings: { offloadQueueMax: 7 } })
  expect(manager.status().settings).toEqual({ ...DEFAULT_SETTINGS, offloadQueueMax: 7, poison: false })
  const bad: Array<[Partial<Record<keyof ManagerSettings, unknown>>, RegExp]> = [
    [{ offloadConcurrency: 0 }, /settings\.offloadConcurrency: expected an integer from 1/],
    [{ transferBatchMax: 1.5 }, /settings\.transferBatchMax/],
    [{ transferDeadlineMs: Number.POSITIVE_INFINITY }, /settings\.transferDeadlineMs: .*2147483647/],
    [{ stagingBytes: -1 }, /settings\.stagingBytes/],
    [{ poison: 1 }, /settings\.poison: expected true or false/],
    [{ ofloadQueueMax: 1 } as never, /settings\.ofloadQueueMax: no such setting. There are: offloadQueueMax/],
  ]
  for (const [settings, message] of bad)
    await expect(openManager({ host: 1, settings: settings as never })).rejects.toThrow(message)
  expectTypeOf(DEFAULT_SETTINGS).toExtend<Omit<ManagerSettings, 'poison'>>()
})

test('warnings of the configuration reach the logger, with path and remedy', async () => {
  await using world = await faultyWorld({ device: 4, host: 2 })
  expect(world.log).toContainEqual(expect.stringMatching(/^warn: hostLayout\.numBlocks: .*Raise it\.$/))
})
test('memory that is given to two tiers is refused, for their blocks would overwrite each other', async () => {
  await using runtime = createTransferRuntime()
  const memory = wrapMemory(new Uint8Array(4 * BLOCK_BYTES), { runtime })
  const given = { numBlocks: 4, storage: [memory] }
  const more = { runtime: { workerId: 0, asyncRuntime: runtime }, deviceLayout: given, hostLayout: given }
  await expect(openManager({ more })).rejects.toMatchObject({
    code: 'KVBM_CONFIG_INVALID',
    issues: [{ path: 'hostLayout.storage', value: [memory.regionId] }],
  })
  await memory.close()
})

test('an allocator that gives two tiers the same memory is refused, and all that was opened is given back', async () => {
  using dir = temporaryDirectory()
  await using runtime = createTransferRuntime()
  const memory = wrapMemory(new Uint8Array(4 * BLOCK_BYTES), { runtime })
  const allocator = { kind: 'system', describe: () => 'the same memory each time', allocate: async () => memory }
  const layout = { numBlocks: 4, allocator }
  const open = (deviceLayout: object) =>
    openManager({
      disk: { numBlocks: 4, path: dir.path },
      more: { runtime: { workerId: 0, asyncRuntime: runtime }, deviceLayout, hostLayout: layout },
    })
  const message = `hostLayout: its region ${memory.regionId} is the memory of the device tier, too: blocks would overwrite each other. Give each tier its own.`
  await expect(open({ numBlocks: 4, storage: [memory] })).rejects.toThrow(new TypeError(message))
  await expectNothingLeft(dir.path)
})

test('a quota leaves the disk tier with as many blocks as fit, by configuration or by an instance', async () => {
  using dir = temporaryDirectory()
  const log: string[] = []
  await using runtime = createTransferRuntime()
  const allocators = [
    { kind: 'disk' as const, path: `${dir.path}/data`, quota: '2MiB' },
    new DiskAllocator(`${dir.path}/instance`, { quotaBytes: 2 * 2 ** 20, runtime }),
  ]
  for (const allocator of allocators) {
    const diskLayout = { numBlocks: 512, allocator }
    const more = { diskLayout, runtime: { workerId: 0, asyncRuntime: runtime, logger: recordingLogger(log) } }
    await using manager = await openManager({ more })
    expect(manager.disk.numBlocks).toBeGreaterThan(64)
    expect(manager.disk.numBlocks).toBeLessThan(128)
    expect(manager.status().tiers.disk).toMatchObject({ capacityBytes: manager.disk.numBlocks * BLOCK_BYTES })
    expect(log.filter((line) => line.startsWith('warn'))).toEqual([
      expect.stringMatching(/of 512 slots fit into the quota/),
    ])
    log.length = 0
    const { hashes, bytes, kept } = await compute(manager, manager.disk.numBlocks)
    expect(Buffer.from(await manager.read(kept))).toEqual(Buffer.from(bytes))
    expect(manager.disk.scan(hashes)).not.toContain(0)
    kept.release()
  }
})

test('a quota that leaves no room for one block refuses the manager, with what to do', async () => {
  using dir = temporaryDirectory()
  const diskLayout = { numBlocks: 8, allocator: { kind: 'disk' as const, path: dir.path, quota: '1MiB' } }
  await expect(openManager({ host: 8, more: { diskLayout } })).rejects.toMatchObject({
    code: 'KVBM_STORAGE_FULL',
    message: expect.stringMatching(/no room for one block of 8192 bytes: its quota is 1048576 bytes.*Raise the quota/),
  })
})
