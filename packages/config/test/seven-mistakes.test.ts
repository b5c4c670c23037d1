import { ConfigError, type ConfigIssue, type Storage } from '@kvbm/core'
import { expect, test } from 'vitest'
import {
  KvBlockManagerConfig,
  KvManagerLayoutConfig,
  KvManagerModelConfig,
  KvManagerRuntimeConfig,
} from '../src/index.js'

/** What `build` complains about. */
function issuesOf(build: () => unknown): readonly ConfigIssue[] {
  try {
    build()
  } catch (error) {
    if (error instanceof ConfigError) return error.issues
    throw error
  }
  throw new Error('The configuration was accepted.')
}

const memory = {
  kind: 'pinned',
  sizeBytes: 4096,
  regionId: 1,
  alignmentOffset: () => 0,
  commit: () => {},
  bytes: () => undefined,
  describe: () => ({ kind: 'pinned', sizeBytes: 4096, facts: {}, notes: [] }),
  close: async () => {},
} satisfies Storage

const EXPECTED_PATHS = [
  'deviceLayout.allocator',
  'diskLayout.allocator.path',
  'hostLayout',
  'hostLayout.allocator.huge',
  'model.numLayers',
  'model.pageSize',
  'runtime.nixl.agent',
]

function expectSeven(issues: readonly ConfigIssue[]): void {
  expect(issues.map((issue) => issue.path).sort()).toEqual(EXPECTED_PATHS)
  for (const issue of issues) {
    expect(Object.keys(issue)).toEqual(['path', 'value', 'rule', 'remedy'])
    expect(issue.rule).not.toBe('')
    expect(issue.remedy).toMatch(/[.?]$/)
  }
  expect(new Map(issues.map((issue) => [issue.path, issue.value]))).toEqual(
    new Map<string, unknown>([
      ['model.numLayers', 0],
      ['model.pageSize', undefined],
      ['hostLayout.allocator.huge', true],
      ['hostLayout', ['storage', 'allocator']],
      ['deviceLayout.allocator', { kind: 'pinned' }],
      ['diskLayout.allocator.path', undefined],
      ['runtime.nixl.agent', { name: 'no close method' }],
    ]),
  )
}

test('seven mistakes of seven kinds in unbuilt builders are seven issues of one error', () => {
  const layout = KvManagerLayoutConfig.builder()
  const config = KvBlockManagerConfig.builder()
    .runtime(KvManagerRuntimeConfig.builder().useNixlAgent({ name: 'no close method' } as never))
    // @ts-expect-error pageSize is missing, which does not compile
    .model(KvManagerModelConfig.builder().numLayers(0).outerDim(2).innerDim(1024))
    .deviceLayout(layout.numBlocks(4).allocator({ kind: 'pinned' }))
    .hostLayout(
      layout
        .numBlocks(8)
        .storage([memory])
        .allocator({ kind: 'pinned', huge: true } as never),
    )
    .diskLayout(layout.numBlocks(16).allocator({ kind: 'disk' } as never))
  expectSeven(issuesOf(() => config.build()))
})

test('the same seven mistakes in a plain object are the same seven issues', () => {
  const config = {
    runtime: { nixl: { mode: 'with-agent', agent: { name: 'no close method' } } },
    model: { numLayers: 0, outerDim: 2, innerDim: 1024 },
    deviceLayout: { numBlocks: 4, allocator: { kind: 'pinned' } },
    hostLayout: { numBlocks: 8, storage: [memory], allocator: { kind: 'pinned', huge: true } },
    diskLayout: { numBlocks: 16 },
  }
  expectSeven(issuesOf(() => KvBlockManagerConfig.parse(config as never)))
})

test('a configuration without a tier and with a bad field reports both', () => {
  const model = KvManagerModelConfig.builder().numLayers(32).outerDim(3).pageSize(16).innerDim(4096)
  const asBuilder = issuesOf(() => KvBlockManagerConfig.builder().model(model).build())
  const asObject = issuesOf(() =>
    KvBlockManagerConfig.parse({ model: { numLayers: 32, outerDim: 3, pageSize: 16, innerDim: 4096 } }),
  )
  expect(asBuilder.map((issue) => issue.path)).toEqual(['model.outerDim', 'deviceLayout'])
  expect(asObject).toEqual(asBuilder)
})

test('the message of the error names every path, value, rule and remedy', () => {
  const issues = issuesOf(() => KvBlockManagerConfig.parse({ model: { numLayers: 0 } } as never))
  const { message } = new ConfigError(issues)
  expect(message.split('\n')).toEqual([
    '5 problems in the configuration:',
    '  model.numLayers: an integer of 1 or more, got 0. Give the number of layers, for example numLayers: 32.',
    '  model.outerDim: required: 1 or 2, got nothing. Give 2 for key and value, 1 for a fused cache (MLA).',
    '  model.pageSize: required: an integer of 1 to 4294967295, got nothing. Give the tokens per block, for example pageSize: 16.',
    '  model.innerDim: required: an integer of 1 or more, got nothing. Give innerDim: 1024, or kvHeads: 8 and headDim: 128 instead.',
    "  deviceLayout: at least one of deviceLayout, hostLayout and diskLayout, got nothing. Add a tier, for example hostLayout: { bytes: '4GiB' }.",
  ])
})

test('a value that is memory, or long, is named and not spelled out', () => {
  const issue = (value: unknown) =>
    new ConfigError([{ path: 'p', value, rule: 'r', remedy: 'm.' }]).message.split('\n')[1]
  expect(issue(new Uint8Array(5000))).toBe('  p: r, got Uint8Array of 5000 bytes. m.')
  expect(issue('x'.repeat(1000))!.length).toBeLessThan(250)
  expect([issue(Number.NaN), issue(4n)]).toEqual(['  p: r, got NaN. m.', '  p: r, got 4n. m.'])
})
