import { ConfigError, type StorageAllocator, type TransferAgent, type TransferRuntime } from '@kvbm/core'
import { describe, expect, test } from 'vitest'
import {
  BlockParallelismStrategy,
  blocksForBytes,
  bytesPerBlock,
  configFromEnvironment,
  DType,
  KvBlockManagerConfig,
  KvManagerLayoutConfig,
  KvManagerModelConfig,
  KvManagerRuntimeConfig,
  LayoutType,
  NixlOptions,
} from '../src/index.js'

// The configuration page, example by example, as far as configuration alone goes.

const agent = (name: string): TransferAgent => ({ name, close: async () => {} })
const runtime: TransferRuntime = {
  submit: async () => {},
  stats: () => ({ queued: 0, running: 0, jobs: 0, bytes: 0 }),
  close: async () => {},
}
const registry = { metrics: async () => '', getSingleMetric: () => undefined, registerMetric: () => {} }
const allocator = (kind: StorageAllocator['kind']): StorageAllocator => ({
  kind,
  allocate: async () => Promise.reject(new Error('This test allocates nothing.')),
  describe: () => kind,
})

const modelConfig = KvManagerModelConfig.builder().numLayers(32).outerDim(2).pageSize(16).innerDim(4096).build()

describe('runtime configuration', () => {
  test('basic: a worker id is enough, NIXL is softly enabled', () => {
    const runtimeConfig = KvManagerRuntimeConfig.builder().workerId(0).build()
    expect(runtimeConfig).toMatchObject({ workerId: 0, nixl: { mode: 'enabled', required: false, explicit: false } })
  })

  test('advanced: own agent, own runtime, own metrics registry', () => {
    const mine = agent('my_agent')
    const runtimeConfig = KvManagerRuntimeConfig.builder()
      .workerId(0)
      .useNixlAgent(mine)
      .asyncRuntime(runtime)
      .metricsRegistry(registry)
      .build()
    expect(runtimeConfig.nixl).toEqual({ mode: 'with-agent', agent: mine, required: false, explicit: true })
    expect(runtimeConfig.nixl.agent).toBe(mine)
    expect(runtimeConfig.asyncRuntime).toBe(runtime)
    expect(runtimeConfig.metricsRegistry).toBe(registry)
  })

  test('NIXL options: enabled, with a custom agent, disabled', () => {
    const custom = agent('custom_agent')
    const builder = KvManagerRuntimeConfig.builder().workerId(0)
    expect(builder.enableNixl().build().nixl).toMatchObject(NixlOptions.Enabled)
    expect(builder.useNixlAgent(custom).build().nixl).toMatchObject(NixlOptions.EnabledWithAgent(custom))
    expect(builder.disableNixl().build().nixl).toMatchObject(NixlOptions.Disabled)
  })

  test('the last of the three NIXL calls wins', () => {
    const { nixl } = KvManagerRuntimeConfig.builder().useNixlAgent(agent('a')).enableNixl().disableNixl().build()
    expect(nixl).toEqual({ mode: 'disabled', required: false, explicit: true })
  })
})

describe('model configuration', () => {
  test('basic: 32 layers, outer 2, page 16, inner 4096, FP16 by default', () => {
    expect(modelConfig).toMatchObject({ numLayers: 32, outerDim: 2, pageSize: 16, innerDim: 4096, dtype: DType.FP16 })
  })

  test('advanced: 48 layers, page 32, inner 8192, BF16', () => {
    const advanced = KvManagerModelConfig.builder()
      .numLayers(48)
      .outerDim(2)
      .pageSize(32)
      .innerDim(8192)
      .dtype(DType.BF16)
      .build()
    expect(advanced).toMatchObject({ numLayers: 48, outerDim: 2, pageSize: 32, innerDim: 8192, dtype: 'bf16' })
    expect(bytesPerBlock(advanced)).toBe(50_331_648)
  })

  test.each([
    ['numLayers', 0],
    ['outerDim', 0],
    ['outerDim', 3],
    ['pageSize', 0],
    ['innerDim', 0],
  ] as const)('validation rules: %s = %i is refused', (field, value) => {
    expect(() =>
      KvManagerModelConfig.builder().numLayers(32).outerDim(2).pageSize(16).innerDim(4096)[field](value).build(),
    ).toThrow(expect.objectContaining({ issues: [expect.objectContaining({ path: `model.${field}`, value })] }))
  })
})

describe('layout configuration', () => {
  test('layout types: fully contiguous, paged, custom', () => {
    const strategy = { name: 'mine', bind: () => ({ storageBytes: [1], locate: () => ({ storage: 0, offset: 0 }) }) }
    const typed = (type: LayoutType) => KvManagerLayoutConfig.builder().numBlocks(1).layoutType(type).build().layoutType
    expect(typed(LayoutType.FullyContiguous)).toBe('fully-contiguous')
    expect(typed(LayoutType.Paged)).toBe('paged')
    expect(typed(LayoutType.Custom(strategy))).toEqual({ kind: 'custom', strategy })
  })

  test.each([
    ['device', 1000, LayoutType.FullyContiguous],
    ['pinned', 500, LayoutType.Paged],
    ['disk', 10_000, LayoutType.Paged],
  ] as const)('an allocator of kind %s with %i blocks', (kind, blocks, type) => {
    const own = allocator(kind)
    const layout = KvManagerLayoutConfig.builder().numBlocks(blocks).layoutType(type).allocator(own).build()
    expect(layout).toMatchObject({ numBlocks: blocks, layoutType: type })
    expect(layout.allocator).toBe(own)
  })

  test('block parallelism: sharded over workers, without an allocator', () => {
    const deviceLayout = KvManagerLayoutConfig.builder()
      .numBlocks(1000)
      .layoutType(LayoutType.FullyContiguous)
      .logical(BlockParallelismStrategy.LeaderWorkerSharded)
      .build()
    const config = KvBlockManagerConfig.builder().model(modelConfig).deviceLayout(deviceLayout).build()
    expect(config.deviceLayout).toMatchObject({ numBlocks: 1000, logical: 'leader-worker-sharded' })
    expect(config.deviceLayout).not.toHaveProperty('allocator')
  })
})

test('the complete example: three tiers, NIXL enabled', () => {
  const runtimeConfig = KvManagerRuntimeConfig.builder().workerId(0).enableNixl().build()
  const model = KvManagerModelConfig.builder()
    .numLayers(32)
    .outerDim(2)
    .pageSize(16)
    .innerDim(4096)
    .dtype(DType.FP16)
    .build()
  const deviceLayout = KvManagerLayoutConfig.builder()
    .numBlocks(1000)
    .layoutType(LayoutType.FullyContiguous)
    .allocator({ kind: 'device' })
    .build()
  const hostLayout = KvManagerLayoutConfig.builder()
    .numBlocks(500)
    .layoutType(LayoutType.Paged)
    .allocator({ kind: 'pinned' })
    .build()
  const diskLayout = KvManagerLayoutConfig.builder()
    .numBlocks(10_000)
    .layoutType(LayoutType.Paged)
    .allocator({ kind: 'disk', path: '/mnt/nvme/kv_cache' })
    .build()
  const config = KvBlockManagerConfig.builder()
    .runtime(runtimeConfig)
    .model(model)
    .deviceLayout(deviceLayout)
    .hostLayout(hostLayout)
    .diskLayout(diskLayout)
    .build()
  const { numBlocks } = {
    numBlocks: [config.deviceLayout, config.hostLayout, config.diskLayout].map((l) => l?.numBlocks),
  }
  expect(numBlocks).toEqual([1000, 500, 10_000])
  expect(config.runtime.nixl).toMatchObject({ mode: 'enabled', explicit: true })
  expect(config.diskLayout?.allocator).toEqual({ kind: 'disk', path: '/mnt/nvme/kv_cache' })
  expect(config.warnings.map((warning) => warning.path)).toEqual(['hostLayout.numBlocks'])
})

test('configuration validation: without a tier, build() throws what is wrong', () => {
  const builder = KvBlockManagerConfig.builder()
    .runtime(KvManagerRuntimeConfig.builder().workerId(0))
    .model(modelConfig)
  let said = ''
  try {
    builder.build()
    said = 'Configuration is valid'
  } catch (error) {
    if (error instanceof ConfigError) said = `Configuration error: ${error.message}`
  }
  expect(said).toMatch(/^Configuration error: 1 problem in the configuration:\n.*at least one of deviceLayout/)
})

describe('best practices', () => {
  test('memory sizing: 24 GiB of 8 MiB blocks are 3072, 80 % of them 2457', () => {
    const gpuMemoryGb = 24
    const blockSizeBytes = 32 * 2 * 16 * 4096 * 2
    const maxBlocks = Math.floor((gpuMemoryGb * 1024 * 1024 * 1024) / blockSizeBytes)
    expect([bytesPerBlock(modelConfig), blocksForBytes('24GiB', modelConfig)]).toEqual([blockSizeBytes, maxBlocks])
    const numBlocks = blocksForBytes(`${gpuMemoryGb}GiB`, modelConfig, { percent: 80 })
    expect([maxBlocks, numBlocks]).toEqual([3072, 2457])
    const deviceLayout = KvManagerLayoutConfig.builder().numBlocks(numBlocks).build()
    const config = KvBlockManagerConfig.builder().model(modelConfig).deviceLayout(deviceLayout).build()
    expect(config.deviceLayout).toMatchObject({ numBlocks: 2457, allocator: { kind: 'device' } })
  })

  test('multi-tier storage: the allocator of a tier is implied, except the directory of the disk', () => {
    const tiers = KvBlockManagerConfig.builder()
      .model(modelConfig)
      .deviceLayout(KvManagerLayoutConfig.builder().numBlocks(1000).build())
      .hostLayout(KvManagerLayoutConfig.builder().numBlocks(5000).build())
    const config = tiers.build()
    expect(config.deviceLayout?.allocator).toEqual({ kind: 'device' })
    expect(config.hostLayout?.allocator).toEqual({ kind: 'pinned' })
    const diskLayout = KvManagerLayoutConfig.builder().numBlocks(50_000)
    expect(() => tiers.diskLayout(diskLayout.build()).build()).toThrow(/diskLayout\.allocator\.path: required/)
    const whole = tiers.diskLayout(diskLayout.allocator({ kind: 'disk', path: './kv' })).build()
    expect([whole.diskLayout?.numBlocks, whole.warnings]).toEqual([50_000, []])
  })

  test('distributed configuration: NIXL and sharded blocks', () => {
    const workerId = 3
    const config = KvBlockManagerConfig.builder()
      .runtime(KvManagerRuntimeConfig.builder().workerId(workerId).enableNixl().build())
      .model(modelConfig)
      .deviceLayout(
        KvManagerLayoutConfig.builder().numBlocks(1000).logical(BlockParallelismStrategy.LeaderWorkerSharded).build(),
      )
      .build()
    expect([config.runtime.workerId, config.deviceLayout?.logical]).toEqual([3, 'leader-worker-sharded'])
  })
})

test('environment: WORKER_ID, NUM_LAYERS and GPU_MEMORY_GB, with the defaults of the page', () => {
  const read = (env: Record<string, string>) => {
    const { runtime: of, model, deviceLayout } = configFromEnvironment(env)
    return [of.workerId, model.numLayers, deviceLayout?.numBlocks]
  }
  expect(read({})).toEqual([0, 32, 2457])
  expect(read({ WORKER_ID: '2', NUM_LAYERS: '64', GPU_MEMORY_GB: '80' })).toEqual([2, 64, 4096])
})
