import { DType, type EventManager, LayoutType, silentLogger } from '@kvbm/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  BlockParallelismStrategy,
  type ConfigObject,
  KvBlockManagerConfig,
  KvManagerLayoutConfig,
  KvManagerModelConfig,
  KvManagerRuntimeConfig,
  type LayoutInput,
  type ModelInput,
  type RuntimeInput,
} from '../src/index.js'

type Fluent = Record<string, (value: unknown) => Fluent>

/** A builder with every field of `fields` set through the method of the same name. */
function fluent<B>(builder: B, fields: object): B {
  const set = (at: Fluent, [name, value]: [string, unknown]) => at[name]!(value)
  return Object.entries(fields).reduce(set, builder as unknown as Fluent) as unknown as B
}

const count = fc.integer({ min: 1, max: 64 })
const optional = { requiredKeys: [] as [] }

const models: fc.Arbitrary<ModelInput> = fc
  .tuple(
    // Blocks of 32 bytes or more, so that the budgets below are not for more blocks than a tier may have.
    fc.record({ numLayers: count, outerDim: fc.constantFrom(1, 2), pageSize: fc.constantFrom(32, 48, 64) }),
    fc.oneof(fc.record({ innerDim: count }), fc.record({ kvHeads: count, headDim: count })),
    fc.record(
      {
        modelId: fc.string({ minLength: 1 }),
        dtype: fc.constantFrom(DType.FP16, DType.FP8_E4M3, DType.FP32, DType.opaque(34)),
        innerOrder: fc.constantFrom('nhd' as const, 'hnd' as const),
        hashAlgorithm: fc.constantFrom('sha256' as const, 'xxh3' as const),
      },
      optional,
    ),
  )
  .map(([shape, row, rest]) => ({ ...shape, ...row, ...rest }))

const layouts = (allocators: readonly object[]): fc.Arbitrary<LayoutInput> =>
  fc
    .tuple(
      fc.oneof(fc.record({ numBlocks: count }), fc.record({ bytes: fc.constantFrom('1GiB', '3GB', 2 ** 31) })),
      fc.record({ allocator: fc.constantFrom(...allocators) }),
      fc.record(
        {
          layoutType: fc.constantFrom(LayoutType.Paged, LayoutType.FullyContiguous),
          alignment: fc.constantFrom(1, 4096),
          duplicates: fc.constantFrom('allow', 'reject'),
          access: fc.constant('exclusive' as const),
        },
        optional,
      ),
    )
    .map((parts) => Object.assign({}, ...parts) as LayoutInput)

const runtimes: fc.Arbitrary<RuntimeInput> = fc.record(
  { workerId: fc.nat(), native: fc.constantFrom('auto' as const, 'portable' as const), logger: fc.constant(console) },
  optional,
)

const configs: fc.Arbitrary<ConfigObject> = fc.record(
  {
    runtime: runtimes,
    model: models,
    deviceLayout: layouts([{ kind: 'device' }, { kind: 'device', device: 'cpu' }]),
    hostLayout: layouts([{ kind: 'pinned' }, { kind: 'system' }]),
    diskLayout: layouts([{ kind: 'disk', path: './kv' }]),
    integrity: fc.boolean(),
  },
  { requiredKeys: ['model', 'hostLayout'] },
)

/** The same configuration, every part through its builder and not built. */
function throughBuilders({ runtime, model, deviceLayout, hostLayout, diskLayout, ...rest }: ConfigObject) {
  const layout = (fields: object) => fluent(KvManagerLayoutConfig.builder(), fields)
  return fluent(KvBlockManagerConfig.builder(), {
    ...rest,
    model: fluent(KvManagerModelConfig.builder(), model),
    ...(runtime && { runtime: fluent(KvManagerRuntimeConfig.builder(), runtime) }),
    ...(deviceLayout && { deviceLayout: layout(deviceLayout) }),
    ...(hostLayout && { hostLayout: layout(hostLayout) }),
    ...(diskLayout && { diskLayout: layout(diskLayout) }),
  }) as unknown as { build(): KvBlockManagerConfig }
}

describe('round trips', () => {
  test('a plain object and its builders give the same value', () => {
    fc.assert(
      fc.property(configs, (plain) => {
        const built = throughBuilders(plain).build()
        const parsed = KvBlockManagerConfig.parse(plain)
        expect(built).toEqual(parsed)
        expect(built.warnings).toEqual(parsed.warnings)
      }),
    )
  })

  test('a built configuration, spread and parsed again, is itself', () => {
    fc.assert(
      fc.property(configs, (plain) => {
        const once = KvBlockManagerConfig.parse(plain)
        const again = KvBlockManagerConfig.parse({ ...once })
        expect(again).not.toBe(once)
        expect(again).toEqual(once)
        expect(again.warnings).toEqual(once.warnings)
      }),
    )
  })

  test('a configuration without instances survives JSON', () => {
    const plain = {
      model: { numLayers: 4, outerDim: 2, pageSize: 16, innerDim: 256 },
      diskLayout: { bytes: '1GiB', layoutType: LayoutType.Paged, allocator: { kind: 'disk', path: './kv' } },
    } as const
    expect(KvBlockManagerConfig.parse(JSON.parse(JSON.stringify(plain)) as typeof plain)).toEqual(
      KvBlockManagerConfig.parse(plain),
    )
  })
})

describe('builders', () => {
  const base = KvManagerModelConfig.builder().numLayers(4).outerDim(2).pageSize(16)

  test('are immutable: what follows from one does not change it', () => {
    const small = base.innerDim(64)
    const large = base.innerDim(128)
    expect([small.build().innerDim, large.build().innerDim, small.build().innerDim]).toEqual([64, 128, 64])
    expect(Object.isFrozen(base)).toBe(true)
  })

  test('of which a parent takes any form: built, unbuilt or plain', () => {
    const plain = { numLayers: 4, outerDim: 2, pageSize: 16, innerDim: 64 }
    const forms = [base.innerDim(64).build(), base.innerDim(64), plain].map((model) =>
      KvBlockManagerConfig.builder().model(model).hostLayout({ numBlocks: 4 }).build(),
    )
    expect(forms[1]).toEqual(forms[0])
    expect(forms[2]).toEqual(forms[0])
  })

  test('may stand inside a plain object', () => {
    const config = KvBlockManagerConfig.parse({
      runtime: KvManagerRuntimeConfig.builder().workerId(3),
      model: base.innerDim(64),
      hostLayout: KvManagerLayoutConfig.builder().bytes('1MiB'),
    })
    expect([config.runtime.workerId, config.hostLayout?.numBlocks]).toEqual([3, 64])
  })
})

describe('a resolved configuration', () => {
  const events: EventManager = { publish: () => {} }
  const config = KvBlockManagerConfig.parse({
    model: { numLayers: 4, outerDim: 1, pageSize: 16, kvHeads: 1, headDim: 576, dtype: 'bf16' },
    deviceLayout: { bytes: '10MB', layoutType: LayoutType.LayerSeparate },
    hostLayout: { numBlocks: 1000, logical: BlockParallelismStrategy.LeaderWorkerReplicated },
    eventManager: events,
  })

  test('is complete: defaults filled, bytes counted in blocks', () => {
    expect(config).toEqual({
      runtime: { workerId: 0, nixl: { mode: 'enabled', required: false, explicit: false }, logger: silentLogger },
      model: {
        modelId: 'default',
        numLayers: 4,
        outerDim: 1,
        pageSize: 16,
        innerDim: 576,
        kvHeads: 1,
        headDim: 576,
        dtype: 'bf16',
        innerOrder: 'nhd',
        hashAlgorithm: 'sha256',
      },
      deviceLayout: {
        numBlocks: 135,
        layoutType: { kind: 'layer-separate', outerContiguous: true },
        allocator: { kind: 'device' },
        duplicates: 'allow',
      },
      hostLayout: {
        numBlocks: 1000,
        layoutType: 'fully-contiguous',
        logical: 'leader-worker-replicated',
        duplicates: 'allow',
      },
      eventManager: events,
      integrity: true,
    })
    expect(config.eventManager).toBe(events)
  })

  test('is frozen, down to its allocators', () => {
    const parts = [config, config.runtime, config.runtime.nixl, config.model, config.deviceLayout, config.warnings]
    expect(parts.every((part) => Object.isFrozen(part))).toBe(true)
    expect(
      [config.deviceLayout?.allocator, config.deviceLayout?.layoutType].every((part) => Object.isFrozen(part)),
    ).toBe(true)
  })

  test('parsed again is the same object', () => {
    expect(KvBlockManagerConfig.parse(config)).toBe(config)
  })

  test('does not share what the caller may change', () => {
    const allocator = { kind: 'disk', path: './a' }
    const { diskLayout } = KvBlockManagerConfig.parse({
      model: config.model,
      diskLayout: { numBlocks: 4, allocator },
    } as never)
    allocator.path = './b'
    expect(diskLayout?.allocator).toEqual({ kind: 'disk', path: './a' })
  })

  test('has the quota of a disk in bytes, and says what is wrong with one', () => {
    const withQuota = (quota: unknown) =>
      KvBlockManagerConfig.parse({
        model: config.model,
        diskLayout: { numBlocks: 4, allocator: { kind: 'disk', path: './a', quota } },
      } as never)
    expect(withQuota('20GiB').diskLayout?.allocator).toEqual({ kind: 'disk', path: './a', quota: 20 * 2 ** 30 })
    for (const quota of [0, -1, 'much', null])
      expect(() => withQuota(quota)).toThrow(/diskLayout\.allocator\.quota: a number of bytes.*quota: '20GiB'/s)
  })

  test('takes undefined for absent', () => {
    const given = {
      model: config.model,
      hostLayout: { numBlocks: 4, bytes: undefined, allocator: undefined },
      diskLayout: undefined,
      runtime: undefined,
    }
    expect(KvBlockManagerConfig.parse(given)).toEqual(
      KvBlockManagerConfig.parse({ model: config.model, hostLayout: { numBlocks: 4 } }),
    )
  })
})

test('a width alone chooses the dtype: 1 fp8-e4m3, 2 fp16, 4 fp32', () => {
  const base = KvManagerModelConfig.builder().numLayers(4).outerDim(2).pageSize(16).innerDim(64)
  expect([1, 2, 4].map((width) => base.dtypeWidthBytes(width).build().dtype)).toEqual(['fp8-e4m3', 'fp16', 'fp32'])
  expect(base.dtype(DType.INT8).dtypeWidthBytes(1).build().dtype).toBe('int8')
})
