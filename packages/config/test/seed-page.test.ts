import type { TransferAgent, TransferRuntime } from '@kvbm/core'
import { describe, expect, test } from 'vitest'
import {
  BlockParallelismStrategy,
  DType,
  KvBlockManagerConfig,
  KvManagerLayoutConfig,
  KvManagerModelConfig,
  KvManagerRuntimeConfig,
  LayoutType,
} from '../src/index.js'

// The examples of the configuration page are executed, one by one, by the manager's test of the same name, which creates what
// they create with a small part of their blocks. Here stands what configuration alone can say of them: their full numbers, what is
// implied, what is kept as given, what is refused.

const model = KvManagerModelConfig.builder()
  .numLayers(32)
  .outerDim(2)
  .pageSize(16)
  .innerDim(4096)
  .dtype(DType.FP16)
  .build()
const layout = KvManagerLayoutConfig.builder()

describe('runtime configuration', () => {
  const agent = (name: string): TransferAgent => ({ name, close: async () => {} })

  test('keeps the agent, the runtime and the registry that it was given', () => {
    const asyncRuntime: TransferRuntime = {
      submit: async () => {},
      stats: () => ({ queued: 0, running: 0, jobs: 0, bytes: 0 }),
      close: async () => {},
    }
    const metricsRegistry = { metrics: async () => '', getSingleMetric: () => undefined, registerMetric: () => {} }
    const mine = agent('my_agent')
    const runtime = KvManagerRuntimeConfig.builder()
      .workerId(0)
      .useNixlAgent(mine)
      .asyncRuntime(asyncRuntime)
      .metricsRegistry(metricsRegistry)
      .build()
    expect(runtime.nixl.agent).toBe(mine)
    expect(runtime.asyncRuntime).toBe(asyncRuntime)
    expect(runtime.metricsRegistry).toBe(metricsRegistry)
  })

  test('the last of the three NIXL calls wins', () => {
    const { nixl } = KvManagerRuntimeConfig.builder().useNixlAgent(agent('a')).enableNixl().disableNixl().build()
    expect(nixl).toEqual({ mode: 'disabled', required: false, explicit: true })
  })
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

test('layout types: a custom strategy stays the one that was given', () => {
  const strategy = { name: 'mine', bind: () => ({ storageBytes: [1], locate: () => ({ storage: 0, offset: 0 }) }) }
  const { layoutType } = layout.numBlocks(1).layoutType(LayoutType.Custom(strategy)).build()
  expect(layoutType).toEqual({ kind: 'custom', strategy })
})

test('the complete example is a configuration of 1000, 500 and 10000 blocks, with one thing to think about', () => {
  const config = KvBlockManagerConfig.builder()
    .runtime(KvManagerRuntimeConfig.builder().workerId(0).enableNixl())
    .model(model)
    .deviceLayout(layout.numBlocks(1000).layoutType(LayoutType.FullyContiguous).allocator({ kind: 'device' }))
    .hostLayout(layout.numBlocks(500).layoutType(LayoutType.Paged).allocator({ kind: 'pinned' }))
    .diskLayout(
      layout.numBlocks(10_000).layoutType(LayoutType.Paged).allocator({ kind: 'disk', path: '/mnt/nvme/kv_cache' }),
    )
    .build()
  const layouts = [config.deviceLayout, config.hostLayout, config.diskLayout]
  expect(layouts.map((tier) => tier?.numBlocks)).toEqual([1000, 500, 10_000])
  expect(config.runtime.nixl).toMatchObject({ mode: 'enabled', explicit: true })
  expect(config.diskLayout?.allocator).toEqual({ kind: 'disk', path: '/mnt/nvme/kv_cache' })
  expect(config.warnings.map((warning) => warning.path)).toEqual(['hostLayout.numBlocks'])
})

describe('best practices', () => {
  test('multi-tier storage: with a directory for the disk there is nothing left to say', () => {
    const config = KvBlockManagerConfig.builder()
      .model(model)
      .deviceLayout(layout.numBlocks(1000))
      .hostLayout(layout.numBlocks(5000))
      .diskLayout(layout.numBlocks(50_000).allocator({ kind: 'disk', path: './kv' }))
      .build()
    expect([config.diskLayout?.numBlocks, config.warnings]).toEqual([50_000, []])
  })

  test('distributed configuration: sharded blocks have no allocator', () => {
    const config = KvBlockManagerConfig.builder()
      .runtime(KvManagerRuntimeConfig.builder().workerId(3).enableNixl())
      .model(model)
      .deviceLayout(layout.numBlocks(1000).logical(BlockParallelismStrategy.LeaderWorkerSharded))
      .build()
    expect(config.deviceLayout).toMatchObject({ numBlocks: 1000, logical: 'leader-worker-sharded' })
    expect(config.deviceLayout).not.toHaveProperty('allocator')
  })
})
