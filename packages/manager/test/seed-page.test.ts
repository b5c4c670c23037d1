import {
  BlockParallelismStrategy,
  blocksForBytes,
  configFromEnvironment,
  DType,
  KvBlockManagerConfig,
  KvManagerLayoutConfig,
  KvManagerModelConfig,
  KvManagerRuntimeConfig,
  LayoutType,
  NixlOptions,
} from '@kvbm/config'
import { KvbmError } from '@kvbm/core'
import { createTransferRuntime, DeviceAllocator, DiskAllocator, PinnedAllocator } from '@kvbm/storage'
import { Registry } from 'prom-client'
import { expect, expectTypeOf, test } from 'vitest'
import { KvBlockManager } from '../src/index.js'
import { temporaryDirectory } from './world.js'

// Every code example of the page this product was asked for, in its order, with its numbers. Where an example creates a manager,
// numBlocks is divided by 250 and the path is temporary; nothing else is changed.

/** A user's agent; the engine behind it is not part of this test. */
const newAgent = (name: string) => ({ name, close: async () => {} })

test('Basic Runtime Configuration', () => {
  const runtime = KvManagerRuntimeConfig.builder().workerId(0).build()
  expect(runtime.workerId).toBe(0)
})

test('Advanced Runtime Configuration', async () => {
  const asyncRuntime = createTransferRuntime()
  const metricsRegistry = new Registry()
  const agent = newAgent('my_agent')
  const runtime = KvManagerRuntimeConfig.builder()
    .workerId(0)
    .useNixlAgent(agent)
    .asyncRuntime(asyncRuntime)
    .metricsRegistry(metricsRegistry)
    .build()
  expect(runtime.nixl).toMatchObject({ mode: 'with-agent', agent })
  await using manager = await KvBlockManager.create({
    runtime,
    model: { numLayers: 2, outerDim: 2, pageSize: 16, innerDim: 64 },
    hostLayout: { numBlocks: 4 },
  })
  expect(manager.status().nixl).toMatchObject({ state: 'ok', agent: 'my_agent' })
  expect(await metricsRegistry.metrics()).toContain('kvbm_blocks')
  await manager.close()
  await asyncRuntime.close()
})

test('NIXL Options', () => {
  expect(NixlOptions.Enabled).toMatchObject({ mode: 'enabled' })
  expect(NixlOptions.Disabled).toMatchObject({ mode: 'disabled' })
  expect(NixlOptions.EnabledWithAgent(newAgent('custom_agent'))).toMatchObject({ mode: 'with-agent' })
  expect(KvManagerRuntimeConfig.builder().workerId(0).enableNixl().build().nixl.mode).toBe('enabled')
  expect(KvManagerRuntimeConfig.builder().workerId(0).useNixlAgent(newAgent('custom_agent')).build().nixl.mode).toBe(
    'with-agent',
  )
  expect(KvManagerRuntimeConfig.builder().workerId(0).disableNixl().build().nixl.mode).toBe('disabled')
})

test('Model Configuration Examples', () => {
  const basic = KvManagerModelConfig.builder().numLayers(32).outerDim(2).pageSize(16).innerDim(4096).build()
  expect(basic).toMatchObject({ numLayers: 32, outerDim: 2, pageSize: 16, innerDim: 4096, dtype: 'fp16' })
  const advanced = KvManagerModelConfig.builder()
    .numLayers(48)
    .outerDim(2)
    .pageSize(32)
    .innerDim(8192)
    .dtype(DType.BF16)
    .build()
  expect(advanced).toMatchObject({ numLayers: 48, pageSize: 32, innerDim: 8192, dtype: 'bf16' })
})

test('Device Layout, Host Layout, Disk Layout', () => {
  const device = KvManagerLayoutConfig.builder()
    .numBlocks(1000)
    .layoutType(LayoutType.FullyContiguous)
    .allocator(new DeviceAllocator())
    .build()
  const host = KvManagerLayoutConfig.builder()
    .numBlocks(500)
    .layoutType(LayoutType.Paged)
    .allocator(new PinnedAllocator())
    .build()
  const disk = KvManagerLayoutConfig.builder()
    .numBlocks(10_000)
    .layoutType(LayoutType.Paged)
    .allocator(new DiskAllocator('/path/to/storage'))
    .build()
  expect([device.numBlocks, host.numBlocks, disk.numBlocks]).toEqual([1000, 500, 10_000])
  expect([device.layoutType, host.layoutType, disk.layoutType]).toEqual(['fully-contiguous', 'paged', 'paged'])
})

test('Block Parallelism Strategy: validated here, refused by create() by its code', async () => {
  const device = KvManagerLayoutConfig.builder()
    .numBlocks(1000)
    .layoutType(LayoutType.FullyContiguous)
    .logical(BlockParallelismStrategy.LeaderWorkerSharded)
    .build()
  const config = KvBlockManagerConfig.builder()
    .runtime(KvManagerRuntimeConfig.builder().workerId(0).build())
    .model(KvManagerModelConfig.builder().numLayers(32).outerDim(2).pageSize(16).innerDim(4096).build())
    .deviceLayout(device)
    .build()
  await expect(KvBlockManager.create(config)).rejects.toMatchObject({ code: 'KVBM_SHARDING_UNAVAILABLE' })
})

test('Complete Configuration Example', async () => {
  using dir = temporaryDirectory()
  const runtimeConfig = KvManagerRuntimeConfig.builder().workerId(0).enableNixl().build()
  const modelConfig = KvManagerModelConfig.builder()
    .numLayers(32)
    .outerDim(2)
    .pageSize(16)
    .innerDim(4096)
    .dtype(DType.FP16)
    .build()
  const deviceLayout = KvManagerLayoutConfig.builder()
    .numBlocks(1000 / 250)
    .layoutType(LayoutType.FullyContiguous)
    .allocator(new DeviceAllocator())
    .build()
  const hostLayout = KvManagerLayoutConfig.builder()
    .numBlocks(500 / 250)
    .layoutType(LayoutType.Paged)
    .allocator(new PinnedAllocator())
    .build()
  const diskLayout = KvManagerLayoutConfig.builder()
    .numBlocks(10_000 / 250)
    .layoutType(LayoutType.Paged)
    .allocator(new DiskAllocator(dir.path))
    .build()
  const config = KvBlockManagerConfig.builder()
    .runtime(runtimeConfig)
    .model(modelConfig)
    .deviceLayout(deviceLayout)
    .hostLayout(hostLayout)
    .diskLayout(diskLayout)
    .build()
  await using manager = await KvBlockManager.create(config)
  expectTypeOf(manager).toHaveProperty('disk')
  expect(manager.tiers).toEqual(['device', 'host', 'disk'])
  expect([manager.device.numBlocks, manager.host.numBlocks, manager.disk.numBlocks]).toEqual([4, 2, 40])
  const hashes = manager.hash(Uint32Array.from({ length: 32 }, (_, token) => token))
  const fresh = manager.device.allocate(2)
  const bytes = new Uint8Array(2 * manager.blockBytes).fill(7)
  await manager.write(fresh, bytes)
  const kept = fresh.register(hashes)
  await manager.settled()
  kept.release()
  using lease = manager.match(hashes)
  expect(lease.count).toBe(2)
  expect(manager.disk.scan(hashes)).toEqual(new Uint8Array([1, 1]))
})

test('Configuration Validation: no storage layout is an error that says so', () => {
  const build = () =>
    KvBlockManagerConfig.builder()
      .runtime(KvManagerRuntimeConfig.builder().workerId(0).build())
      .model(KvManagerModelConfig.builder().numLayers(32).outerDim(2).pageSize(16).innerDim(4096).build())
      .build()
  expect(build).toThrow(expect.objectContaining({ code: 'KVBM_CONFIG_INVALID' }))
  try {
    build()
  } catch (error) {
    expect(KvbmError.is(error, 'KVBM_CONFIG_INVALID')).toBe(true)
    expect(String(error)).toMatch(/1 problem in the configuration/)
  }
})

test('Memory Sizing: the formula of the page, and 80 % of it', () => {
  const model = { numLayers: 32, outerDim: 2, pageSize: 16, innerDim: 4096, dtype: 'fp16' } as const
  const gpuMemoryGb = 24
  const blockSizeBytes = 32 * 2 * 16 * 4096 * 2
  const maxBlocks = Math.floor((gpuMemoryGb * 1024 * 1024 * 1024) / blockSizeBytes)
  expect(blocksForBytes('24GiB', model)).toBe(maxBlocks)
  const layout = KvManagerLayoutConfig.builder()
    .numBlocks(Math.floor((maxBlocks * 80) / 100))
    .build()
  expect(layout.numBlocks).toBe(2457)
})

test('Multi-tier Storage: an omitted allocator is the default of its tier, a disk tier needs a path', () => {
  const deviceLayout = KvManagerLayoutConfig.builder().numBlocks(1000).build()
  const hostLayout = KvManagerLayoutConfig.builder().numBlocks(5000).build()
  const diskLayout = KvManagerLayoutConfig.builder().numBlocks(50_000).build()
  const model = { numLayers: 32, outerDim: 2, pageSize: 16, innerDim: 4096 }
  const config = KvBlockManagerConfig.parse({ model, deviceLayout, hostLayout })
  expect(config.deviceLayout?.allocator).toEqual({ kind: 'device' })
  expect(config.hostLayout?.allocator).toEqual({ kind: 'pinned' })
  expect(() => KvBlockManagerConfig.parse({ model, deviceLayout, hostLayout, diskLayout })).toThrow(/diskLayout/)
})

test('Distributed Configuration', () => {
  const workerId = 3
  const runtime = KvManagerRuntimeConfig.builder().workerId(workerId).enableNixl().build()
  const device = KvManagerLayoutConfig.builder()
    .numBlocks(1000)
    .logical(BlockParallelismStrategy.LeaderWorkerSharded)
    .build()
  expect(runtime.workerId).toBe(3)
  expect(device.logical).toBe(BlockParallelismStrategy.LeaderWorkerSharded)
})

test('Environment-based Configuration', () => {
  const config = configFromEnvironment({ WORKER_ID: '7', NUM_LAYERS: '48', GPU_MEMORY_GB: '12' })
  expect(config.runtime.workerId).toBe(7)
  expect(config.model).toMatchObject({ numLayers: 48, outerDim: 2, pageSize: 16, innerDim: 4096 })
  const blocks = Math.floor((12 * 2 ** 30) / (48 * 2 * 16 * 4096 * 2))
  expect(config.deviceLayout?.numBlocks).toBe(Math.floor((blocks * 80) / 100))
  expect(configFromEnvironment({}).deviceLayout?.numBlocks).toBe(2457)
  expect(() => configFromEnvironment({ NUM_LAYERS: 'many' })).toThrow(/NUM_LAYERS/)
})
