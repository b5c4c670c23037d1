import { ConfigError, type ConfigIssue, DType, LayoutType, type Storage, type StorageAllocator } from '@kvbm/core'
import { describe, expect, test } from 'vitest'
import { KvBlockManagerConfig, KvManagerLayoutConfig, KvManagerModelConfig } from '../src/index.js'

type Plain = Record<string, unknown>

const MODEL = { numLayers: 4, outerDim: 2, pageSize: 16, innerDim: 256 }
const HOST = { numBlocks: 8 }

function issuesOf(build: () => unknown): readonly ConfigIssue[] {
  try {
    build()
  } catch (error) {
    if (error instanceof ConfigError) return error.issues
    throw error
  }
  return []
}

/** Issues of a good configuration with some parts replaced. */
function issues(parts: Plain): readonly ConfigIssue[] {
  return issuesOf(() => KvBlockManagerConfig.parse({ model: MODEL, hostLayout: HOST, ...parts } as never))
}

function errorOf(parts: Plain): Error {
  try {
    KvBlockManagerConfig.parse({ model: MODEL, ...parts } as never)
  } catch (error) {
    return error as Error
  }
  throw new Error('The configuration was accepted.')
}

function storage(kind: Storage['kind']): Storage {
  return {
    kind,
    sizeBytes: 4096,
    regionId: 1,
    alignmentOffset: () => 0,
    commit: () => {},
    bytes: () => undefined,
    describe: () => ({ kind, sizeBytes: 4096, facts: {}, notes: [] }),
    close: async () => {},
  }
}

function allocator(kind: Storage['kind']): StorageAllocator {
  return { kind, allocate: async () => storage(kind), describe: () => kind }
}

/** A configuration with one mistake, and the path and value of its one issue. */
const SINGLE: ReadonlyArray<readonly [name: string, parts: Plain, path: string, value: unknown]> = [
  ['a whole that is wrong', { integrity: 'yes' }, 'integrity', 'yes'],
  ['an event manager without publish', { eventManager: {} }, 'eventManager', {}],
  ['a model that is missing', { model: undefined }, 'model', undefined],
  ['a model that is no object', { model: 'llama' }, 'model', 'llama'],
  ['a model id that is empty', { model: { ...MODEL, modelId: '' } }, 'model.modelId', ''],
  ['layers that are not whole', { model: { ...MODEL, numLayers: 1.5 } }, 'model.numLayers', 1.5],
  ['layers as text', { model: { ...MODEL, numLayers: '32' } }, 'model.numLayers', '32'],
  ['NaN', { model: { ...MODEL, pageSize: Number.NaN } }, 'model.pageSize', Number.NaN],
  ['outer 3', { model: { ...MODEL, outerDim: 3 } }, 'model.outerDim', 3],
  ['an unknown dtype', { model: { ...MODEL, dtype: 'fp12' } }, 'model.dtype', 'fp12'],
  [
    'opaque rows of 0 bytes',
    { model: { ...MODEL, dtype: { kind: 'opaque', bytesPerToken: 0 } } },
    'model.dtype',
    { kind: 'opaque', bytesPerToken: 0 },
  ],
  ['a width of 3', { model: { ...MODEL, dtypeWidthBytes: 3 } }, 'model.dtypeWidthBytes', 3],
  ['a width against the dtype', { model: { ...MODEL, dtype: 'fp32', dtypeWidthBytes: 2 } }, 'model.dtypeWidthBytes', 2],
  [
    'a width beside an opaque dtype',
    { model: { ...MODEL, dtype: DType.opaque(34), dtypeWidthBytes: 2 } },
    'model.dtypeWidthBytes',
    2,
  ],
  ['heads against innerDim', { model: { ...MODEL, kvHeads: 8, headDim: 128 } }, 'model.innerDim', 256],
  ['heads without their size', { model: { ...MODEL, kvHeads: 8 } }, 'model.headDim', undefined],
  ['no row at all', { model: { ...MODEL, innerDim: undefined } }, 'model.innerDim', undefined],
  ['an unknown order', { model: { ...MODEL, innerOrder: 'ndh' } }, 'model.innerOrder', 'ndh'],
  ['an unknown hash', { model: { ...MODEL, hashAlgorithm: 'md5' } }, 'model.hashAlgorithm', 'md5'],
  ['a negative worker', { runtime: { workerId: -1 } }, 'runtime.workerId', -1],
  ['a signal that is none', { runtime: { signal: true } }, 'runtime.signal', true],
  ['a runtime without submit', { runtime: { asyncRuntime: {} } }, 'runtime.asyncRuntime', {}],
  ['a registry that is none', { runtime: { metricsRegistry: {} } }, 'runtime.metricsRegistry', {}],
  ['a logger without warn', { runtime: { logger: {} } }, 'runtime.logger', {}],
  ['an unknown native choice', { runtime: { native: 'fast' } }, 'runtime.native', 'fast'],
  ['NIXL as text', { runtime: { nixl: 'enabled' } }, 'runtime.nixl', 'enabled'],
  ['an agent that is missing', { runtime: { nixl: { mode: 'with-agent' } } }, 'runtime.nixl.agent', undefined],
  [
    'an agent without a name',
    { runtime: { nixl: { mode: 'with-agent', agent: { name: '', close() {} } } } },
    'runtime.nixl.agent',
    expect.anything(),
  ],
  [
    'an agent without close',
    { runtime: { nixl: { mode: 'with-agent', agent: { name: 'a' } } } },
    'runtime.nixl.agent',
    { name: 'a' },
  ],
  ['no size', { hostLayout: {} }, 'hostLayout.numBlocks', undefined],
  ['no blocks', { hostLayout: { numBlocks: 0 } }, 'hostLayout.numBlocks', 0],
  ['too many blocks', { hostLayout: { numBlocks: 2 ** 27 + 1 } }, 'hostLayout.numBlocks', 2 ** 27 + 1],
  [
    'room for too many blocks',
    { model: { ...MODEL, innerDim: 1 }, hostLayout: { bytes: '64GiB' } },
    'hostLayout.bytes',
    '64GiB',
  ],
  ['a size that cannot be read', { hostLayout: { bytes: '4 gigs' } }, 'hostLayout.bytes', '4 gigs'],
  ['both sizes', { hostLayout: { numBlocks: 8, bytes: '1GiB' } }, 'hostLayout.bytes', '1GiB'],
  ['less than one block', { hostLayout: { bytes: '4KiB' } }, 'hostLayout.bytes', '4KiB'],
  ['more than 2^53 bytes', { model: { ...MODEL, innerDim: 2 ** 43 } }, 'hostLayout.numBlocks', 8],
  ['an unknown layout type', { hostLayout: { ...HOST, layoutType: 'diagonal' } }, 'hostLayout.layoutType', 'diagonal'],
  [
    'a strategy without bind',
    { hostLayout: { ...HOST, layoutType: { kind: 'custom', strategy: {} } } },
    'hostLayout.layoutType',
    expect.anything(),
  ],
  [
    'a layer-separate disk',
    { diskLayout: { ...HOST, allocator: { kind: 'disk', path: 'd' }, layoutType: LayoutType.LayerSeparate } },
    'diskLayout.layoutType',
    'layer-separate',
  ],
  ['a disk without a path', { diskLayout: HOST }, 'diskLayout.allocator.path', undefined],
  [
    'a disk instance without a path',
    { diskLayout: { ...HOST, allocator: { ...allocator('disk'), path: undefined } } },
    'diskLayout.allocator.path',
    undefined,
  ],
  [
    'a disk with an empty path',
    { diskLayout: { ...HOST, allocator: { kind: 'disk', path: '' } } },
    'diskLayout.allocator.path',
    '',
  ],
  ['a disk of storages', { diskLayout: { ...HOST, storage: [storage('disk')] } }, 'diskLayout.storage', ['disk']],
  ['an allocator of no kind', { hostLayout: { ...HOST, allocator: {} } }, 'hostLayout.allocator.kind', undefined],
  ['an allocator as text', { hostLayout: { ...HOST, allocator: 'pinned' } }, 'hostLayout.allocator', 'pinned'],
  [
    'an unknown device',
    { deviceLayout: { ...HOST, allocator: { kind: 'device', device: 'gpu' } } },
    'deviceLayout.allocator.device',
    'gpu',
  ],
  [
    'pinned memory as device',
    { deviceLayout: { ...HOST, allocator: { kind: 'pinned' } } },
    'deviceLayout.allocator',
    { kind: 'pinned' },
  ],
  [
    'an instance of the wrong kind',
    { hostLayout: { ...HOST, allocator: allocator('device') } },
    'hostLayout.allocator',
    expect.anything(),
  ],
  [
    'device memory as host storage',
    { hostLayout: { ...HOST, storage: [storage('device')] } },
    'hostLayout.storage',
    ['device'],
  ],
  [
    'one memory in two tiers',
    {
      deviceLayout: { ...HOST, storage: [storage('system')] },
      hostLayout: { ...HOST, storage: [storage('system')] },
    },
    'hostLayout.storage',
    [1],
  ],
  ['an empty list of storages', { hostLayout: { ...HOST, storage: [] } }, 'hostLayout.storage', []],
  ['something that is no storage', { hostLayout: { ...HOST, storage: [{}] } }, 'hostLayout.storage.0', {}],
  [
    'storage and logical',
    { hostLayout: { ...HOST, storage: [storage('system')], logical: 'leader-worker-sharded' } },
    'hostLayout',
    ['storage', 'logical'],
  ],
  [
    'all three sources',
    {
      hostLayout: {
        ...HOST,
        storage: [storage('system')],
        allocator: { kind: 'system' },
        logical: 'leader-worker-sharded',
      },
    },
    'hostLayout',
    ['storage', 'allocator', 'logical'],
  ],
  ['an unknown strategy', { hostLayout: { ...HOST, logical: 'sharded' } }, 'hostLayout.logical', 'sharded'],
  [
    'a filter that is a function',
    { hostLayout: { ...HOST, offloadFilter: () => true } },
    'hostLayout.offloadFilter',
    expect.anything(),
  ],
  ['an alignment of 3', { hostLayout: { ...HOST, alignment: 3 } }, 'hostLayout.alignment', 3],
  [
    'an alignment that is nothing but padding',
    { hostLayout: { ...HOST, alignment: 2 ** 30 } },
    'hostLayout.alignment',
    2 ** 30,
  ],
  ['an unknown policy', { hostLayout: { ...HOST, duplicates: 'drop' } }, 'hostLayout.duplicates', 'drop'],
  [
    'an unknown access',
    { diskLayout: { numBlocks: 8, allocator: { kind: 'disk', path: './kv' }, access: 'both' } },
    'diskLayout.access',
    'both',
  ],
  ['shared memory', { hostLayout: { ...HOST, access: 'shared' } }, 'hostLayout.access', 'shared'],
  ['no tier', { hostLayout: undefined }, 'deviceLayout', undefined],
]

test('a bound that was broken is said', () => {
  const pageSize = Number.MAX_SAFE_INTEGER
  expect(issues({ model: { ...MODEL, pageSize } })).toMatchObject([{ rule: 'an integer of 1 to 4294967295' }])
})

describe('each mistake is exactly one issue with path, value, rule and remedy', () => {
  test.each(SINGLE)('%s', (_name, parts, path, value) => {
    expect(issues(parts)).toEqual([
      { path, value, rule: expect.stringMatching(/./), remedy: expect.stringMatching(/\.$|\?$/) },
    ])
  })
})

describe('no mistake hides another', () => {
  const wrong = { deviceLayout: { numBlocks: 4, allocator: { kind: 'pinned' } }, diskLayout: { numBlocks: 4 } }
  const others = SINGLE.filter(
    ([, parts]) =>
      !('deviceLayout' in parts || 'diskLayout' in parts || (parts.hostLayout === undefined && 'hostLayout' in parts)),
  )

  test.each(others)('rules between fields run beside: %s', (_name, parts, path) => {
    const paths = issues({ ...parts, ...wrong }).map((issue) => issue.path)
    expect(paths).toEqual(expect.arrayContaining([path, 'deviceLayout.allocator', 'diskLayout.allocator.path']))
  })
})

describe('unknown keys', () => {
  const remedy = (parts: Plain) => issues(parts).map(({ path, remedy }) => [path, remedy])

  test.each([
    ['num_layers', 'numLayers'],
    ['numLayer', 'numLayers'],
    ['NUMLAYERS', 'numLayers'],
    ['dtypeWidth', 'dtypeWidthBytes'],
  ])('%s of a model most likely means %s', (key, near) => {
    expect(remedy({ model: { ...MODEL, [key]: 1 } })).toEqual([[`model.${key}`, `Did you mean ${near}?`]])
  })

  test('a key of another name for the same thing is recognised', () => {
    expect(remedy({ runtime: { cancellation_token: 1 } })).toEqual([
      ['runtime.cancellation_token', 'Did you mean signal?'],
    ])
  })

  test('keys at the top, in a layout and in an allocator are found', () => {
    expect(
      remedy({ hostLayot: HOST, hostLayout: { ...HOST, numBlock: 1, allocator: { kind: 'pinned', pth: 'x' } } }),
    ).toEqual([
      ['hostLayout.allocator.pth', 'Remove it; known names: kind.'],
      ['hostLayout.numBlock', 'Did you mean numBlocks?'],
      ['hostLayot', 'Did you mean hostLayout?'],
    ])
  })

  test('a key that resembles nothing gets the list of known names', () => {
    expect(remedy({ runtime: { zzzzzzzzzz: 1 } })[0]![1]).toMatch(/^Remove it; known names: workerId, signal, nixl, /)
  })
})

describe('what is no configuration at all', () => {
  test.each([[undefined], [null], [7], ['text'], [[]]])('%j is one issue', (input) => {
    expect(issuesOf(() => KvBlockManagerConfig.parse(input as never))).toMatchObject([{ path: 'config', value: input }])
  })
})

describe('whatever stands in a field', () => {
  const circular: { self?: unknown; text?: unknown } = { text: Object.create(null) }
  circular.self = circular

  test.each([
    ['an object that refuses to become text', Object.create(null)],
    ['a circle of such', circular],
    ['a list of such', [[circular]]],
    ['a symbol', Symbol('s')],
    ['a function', () => 1],
    ['a proxy', new Proxy({}, {})],
    ['a bigint', 5n],
    ['memory', new Uint8Array(2 ** 24)],
    ['memory in an object', { memory: new Uint8Array(2 ** 24) }],
  ])('is named and refused as a ConfigError of some lines: %s', (_, value) => {
    for (const name of ['numLayers', 'dtype', 'modelId', 'innerOrder']) {
      const error = errorOf({ model: { ...MODEL, [name]: value }, hostLayout: { ...HOST, bytes: value, zzz: value } })
      expect(error).toBeInstanceOf(ConfigError)
      expect(error.message.length).toBeLessThan(2000)
    }
  })
})

describe('parts alone', () => {
  test('a part that is built by itself throws its own violations', () => {
    const found = issuesOf(() => KvManagerModelConfig.parse({ numLayers: 0, outerDim: 9 } as never))
    expect(found.map(({ path }) => path)).toEqual([
      'model.numLayers',
      'model.outerDim',
      'model.pageSize',
      'model.innerDim',
    ])
  })

  test('from JavaScript, a builder without its required fields throws a ConfigError', () => {
    const layout = KvManagerLayoutConfig.builder() as unknown as { build(): unknown }
    expect(issuesOf(() => layout.build())).toMatchObject([
      { path: 'layout.numBlocks', rule: 'required: numBlocks or bytes' },
    ])
  })
})
