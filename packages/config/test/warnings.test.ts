import type { OffloadFilter, Storage } from '@kvbm/core'
import { describe, expect, test } from 'vitest'
import { type ConfigObject, KvBlockManagerConfig, LayoutType, type MachineFacts } from '../src/index.js'

/** Blocks of 1 MiB. */
const MODEL = { numLayers: 4, outerDim: 2, pageSize: 16, innerDim: 4096 }
const MiB = 2 ** 20
const disk = { kind: 'disk', path: './kv' } as const

function warnings(config: Omit<ConfigObject, 'model'>, machine?: MachineFacts) {
  return KvBlockManagerConfig.parse({ model: MODEL, ...config }, { machine }).warnings
}

function paths(config: Omit<ConfigObject, 'model'>, machine?: MachineFacts) {
  return warnings(config, machine).map((warning) => warning.path)
}

const engineMemory: Storage = {
  kind: 'system',
  sizeBytes: 1000 * MiB,
  regionId: 1,
  alignmentOffset: () => 0,
  commit: () => {},
  bytes: () => undefined,
  describe: () => ({ kind: 'system', sizeBytes: 1000 * MiB, facts: {}, notes: [] }),
  close: async () => {},
}

describe('sizes that do not fit the machine', () => {
  const tiers = {
    deviceLayout: { numBlocks: 100 },
    hostLayout: { numBlocks: 200 },
    diskLayout: { numBlocks: 400, allocator: disk },
  }

  test('are warnings with path, value, rule and remedy, not errors', () => {
    expect(warnings({ hostLayout: { bytes: '100MiB' } }, { memoryBytes: 64 * MiB })).toEqual([
      {
        path: 'hostLayout',
        value: 100 * MiB,
        rule: 'at most the memory of the machine, 64 MiB (100 MiB asked for)',
        remedy: 'Lower numBlocks or bytes; leave a fifth of it free for others.',
      },
    ])
  })

  test('are found for device, host, lock limit and disk', () => {
    const small = {
      deviceMemoryBytes: 99 * MiB,
      memoryBytes: 199 * MiB,
      lockLimitBytes: 8 * MiB,
      diskFreeBytes: 399 * MiB,
    }
    expect(paths(tiers, small)).toEqual(['deviceLayout', 'hostLayout', 'hostLayout', 'diskLayout'])
    const enough = {
      deviceMemoryBytes: 100 * MiB,
      memoryBytes: 200 * MiB,
      lockLimitBytes: 200 * MiB,
      diskFreeBytes: 400 * MiB,
    }
    expect(paths(tiers, enough)).toEqual([])
  })

  test('count the device tier as memory of the machine where no accelerator is known', () => {
    expect(paths(tiers, { memoryBytes: 299 * MiB })).toEqual(['hostLayout'])
    expect(paths(tiers, { memoryBytes: 300 * MiB })).toEqual([])
    expect(paths({ deviceLayout: { numBlocks: 100 } }, { memoryBytes: 99 * MiB })).toEqual(['deviceLayout'])
  })

  test('are not looked for where a fact is missing', () => {
    expect(paths(tiers)).toEqual([])
    expect(paths(tiers, {})).toEqual([])
  })

  test('do not count memory that exists already', () => {
    expect(paths({ deviceLayout: { numBlocks: 1000, storage: [engineMemory] } }, { memoryBytes: MiB })).toEqual([])
  })

  test('do not apply the lock limit to memory that is not locked', () => {
    const hostLayout = { numBlocks: 100, allocator: { kind: 'system' } } as const
    expect(paths({ hostLayout }, { lockLimitBytes: MiB })).toEqual([])
  })

  test('are judged anew for a configuration that was built without facts', () => {
    const built = KvBlockManagerConfig.parse({ model: MODEL, ...tiers })
    const judged = KvBlockManagerConfig.parse(built, { machine: { diskFreeBytes: MiB } })
    expect([built.warnings.length, judged.warnings.map((warning) => warning.path)]).toEqual([0, ['diskLayout']])
    expect(judged).toEqual(built)
  })
})

describe('padding', () => {
  const layerwise = { layoutType: LayoutType.LayerSeparate, numBlocks: 4 }

  test('of more than half of the room of a block is a warning', () => {
    expect(warnings({ hostLayout: { numBlocks: 4, alignment: 2 * MiB } })).toEqual([])
    const [warning] = warnings({ hostLayout: { ...layerwise, alignment: MiB } })
    expect(warning).toMatchObject({ path: 'hostLayout.alignment', value: MiB })
    expect(warning!.rule).toBe('little padding: a block of 1 MiB takes 8 MiB')
    expect(paths({ hostLayout: { ...layerwise, alignment: MiB / 8 } })).toEqual([])
  })

  test('counts as memory of the tier', () => {
    const hostLayout = { numBlocks: 100, alignment: 2 * MiB }
    expect(paths({ hostLayout }, { memoryBytes: 199 * MiB })).toEqual(['hostLayout'])
    expect(paths({ hostLayout }, { memoryBytes: 200 * MiB })).toEqual([])
  })
})

describe('what adds nothing', () => {
  const filter: OffloadFilter = { shouldOffload: () => true }

  test('a host tier that is not larger than the device tier above it', () => {
    expect(paths({ deviceLayout: { numBlocks: 100 }, hostLayout: { numBlocks: 100 } })).toEqual([
      'hostLayout.numBlocks',
    ])
    expect(paths({ deviceLayout: { numBlocks: 100 }, hostLayout: { numBlocks: 101 } })).toEqual([])
  })

  test('but a small disk tier outlives the process', () => {
    expect(paths({ hostLayout: { numBlocks: 100 }, diskLayout: { numBlocks: 10, allocator: disk } })).toEqual([])
  })

  test('an offload filter on the lowest tier', () => {
    expect(paths({ hostLayout: { numBlocks: 4, offloadFilter: filter } })).toEqual(['hostLayout.offloadFilter'])
    const below = { diskLayout: { numBlocks: 4, allocator: disk } }
    expect(paths({ hostLayout: { numBlocks: 4, offloadFilter: filter }, ...below })).toEqual([])
  })
})

test('xxh3 is a warning, because it does not keep tenants apart', () => {
  const config = KvBlockManagerConfig.parse({
    model: { ...MODEL, hashAlgorithm: 'xxh3' },
    hostLayout: { numBlocks: 4 },
  })
  expect(config.warnings).toMatchObject([{ path: 'model.hashAlgorithm', value: 'xxh3' }])
})

test('warnings do not travel with a spread copy, and cannot be changed', () => {
  const config = KvBlockManagerConfig.parse(
    { model: MODEL, hostLayout: { numBlocks: 4 } },
    { machine: { memoryBytes: 1 } },
  )
  expect(config.warnings).toHaveLength(1)
  expect(Object.keys(config)).not.toContain('warnings')
  expect([Object.isFrozen(config.warnings), Object.isFrozen(config.warnings[0])]).toEqual([true, true])
})
