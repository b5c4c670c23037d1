import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { ConfigError, type ConfigIssue, DType, LayoutType } from '@kvbm/core'
import { describe, expect, test } from 'vitest'
import { configFromEnvironment, ENVIRONMENT_VARIABLES } from '../src/index.js'

const HOST = { KVBM_HOST_NUM_BLOCKS: '8' }
const DISK = { KVBM_DISK_NUM_BLOCKS: '8', KVBM_DISK_PATH: './kv-cache' }
const DEVICE = { KVBM_DEVICE_NUM_BLOCKS: '8' }

/** A good text of each variable, what must stand beside it, and the value it gives. */
const GOOD: Readonly<Record<string, { text: string; beside?: Record<string, string>; value: unknown }>> = {
  KVBM_WORKER_ID: { text: '7', value: 7 },
  WORKER_ID: { text: '3', value: 3 },
  KVBM_NIXL: { text: 'required', value: { mode: 'enabled', required: true, explicit: true } },
  KVBM_MODEL_ID: { text: 'my-model', value: 'my-model' },
  KVBM_NUM_LAYERS: { text: '48', value: 48 },
  NUM_LAYERS: { text: '40', value: 40 },
  KVBM_OUTER_DIM: { text: '1', value: 1 },
  KVBM_PAGE_SIZE: { text: '64', value: 64 },
  KVBM_INNER_DIM: { text: '1024', value: 1024 },
  KVBM_KV_HEADS: { text: '8', beside: { KVBM_HEAD_DIM: '128' }, value: 8 },
  KVBM_HEAD_DIM: { text: '128', beside: { KVBM_KV_HEADS: '8' }, value: 128 },
  KVBM_DTYPE: { text: 'opaque:34', value: DType.opaque(34) },
  KVBM_INNER_ORDER: { text: 'hnd', value: 'hnd' },
  KVBM_HASH_ALGORITHM: { text: 'xxh3', value: 'xxh3' },
  KVBM_DEVICE_NUM_BLOCKS: { text: '12', value: 12 },
  KVBM_DEVICE_BYTES: { text: '80MiB', value: 10 },
  GPU_MEMORY_GB: { text: '1.5', value: 153 },
  KVBM_DEVICE: { text: 'cuda:1', beside: DEVICE, value: 'cuda:1' },
  KVBM_DEVICE_LAYOUT: { text: 'layer-separate', beside: DEVICE, value: LayoutType.LayerSeparate },
  KVBM_HOST_NUM_BLOCKS: { text: '12', value: 12 },
  KVBM_HOST_BYTES: { text: '4GiB', value: 512 },
  DYN_KVBM_CPU_CACHE_OVERRIDE_NUM_BLOCKS: { text: '5', value: 5 },
  DYN_KVBM_CPU_CACHE_GB: { text: '1', value: 119 },
  KVBM_HOST_ALLOCATOR: { text: 'system', beside: HOST, value: 'system' },
  KVBM_HOST_LAYOUT: { text: 'paged', beside: HOST, value: 'paged' },
  KVBM_DISK_NUM_BLOCKS: { text: '12', beside: { KVBM_DISK_PATH: './a' }, value: 12 },
  KVBM_DISK_BYTES: { text: '10GB', beside: { KVBM_DISK_PATH: './a' }, value: 1192 },
  DYN_KVBM_DISK_CACHE_OVERRIDE_NUM_BLOCKS: { text: '5', beside: { KVBM_DISK_PATH: './a' }, value: 5 },
  DYN_KVBM_DISK_CACHE_GB: { text: '0.5', beside: { KVBM_DISK_PATH: './a' }, value: 59 },
  KVBM_DISK_ACCESS: { text: 'shared', beside: DISK, value: 'shared' },
  KVBM_DISK_QUOTA: {
    text: '2GiB',
    beside: { KVBM_DISK_PATH: './a', KVBM_DISK_NUM_BLOCKS: '4' },
    value: 2 * 2 ** 30,
  },
  KVBM_DISK_PATH: { text: './b', beside: { KVBM_DISK_NUM_BLOCKS: '4' }, value: './b' },
  DYN_KVBM_DISK_CACHE_DIR: { text: './c', beside: { KVBM_DISK_NUM_BLOCKS: '4' }, value: './c' },
  KVBM_DISK_IO_DEPTH: { text: '6', beside: DISK, value: 6 },
  KVBM_DISK_IO_REQUEST_BYTES: { text: '256KiB', beside: DISK, value: 262_144 },
  KVBM_INTEGRITY: { text: 'Off', value: false },
}

function at(config: unknown, path: string): unknown {
  const settled = path.replace(/Layout\.bytes$/, 'Layout.numBlocks').split('.')
  return settled.reduce<unknown>((inner, name) => (inner as Record<string, unknown> | undefined)?.[name], config)
}

function issuesOf(env: Record<string, string>): readonly ConfigIssue[] {
  try {
    configFromEnvironment(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.issues
    throw error
  }
  throw new Error('The environment was accepted.')
}

test('an empty environment is the page: 32 layers, outer 2, page 16, inner 4096, 80 % of 24 GiB', () => {
  const { runtime, model, deviceLayout, hostLayout, diskLayout } = configFromEnvironment({})
  expect(runtime.workerId).toBe(0)
  expect(model).toMatchObject({ numLayers: 32, outerDim: 2, pageSize: 16, innerDim: 4096, dtype: 'fp16' })
  expect(deviceLayout).toMatchObject({ numBlocks: 2457, allocator: { kind: 'device' } })
  expect([hostLayout, diskLayout]).toEqual([undefined, undefined])
})

describe('each row of the table (case 108)', () => {
  test.each(ENVIRONMENT_VARIABLES.map((row) => [row.name, row] as const))('%s sets its path', (name, { path }) => {
    const { text, beside, value } = GOOD[name]!
    expect(at(configFromEnvironment({ ...beside, [name]: text }), path)).toEqual(value)
  })

  test.each(
    ENVIRONMENT_VARIABLES.filter(({ path }) => path !== 'model.modelId' && !path.endsWith('.path')).map(
      (row) => [row.name, row] as const,
    ),
  )('%s with a text that cannot be read is one error that names it', (name, { path, reader }) => {
    const issues = issuesOf({ ...GOOD[name]!.beside, [name]: 'twenty?' })
    expect(issues).toEqual([
      { path: name, value: 'twenty?', rule: reader.what, remedy: `Correct ${name} or unset it; it sets ${path}.` },
    ])
  })

  test.each(ENVIRONMENT_VARIABLES.map((row) => row.name))('%s is not read as absent when it is empty', (name) => {
    expect(issuesOf({ ...GOOD[name]!.beside, [name]: '' }).map((issue) => issue.path)).toContain(name)
  })

  test('the table in docs/configuration.md has exactly these rows', () => {
    const docs = readFileSync(resolve(import.meta.dirname, '../../../docs/configuration.md'), 'utf8')
    const rows = ENVIRONMENT_VARIABLES.map((row) =>
      [`\`${row.name}\``, `\`${row.path}\``, row.default, row.meaning, row.reader.what].map(String),
    )
    const lines = docs
      .slice(docs.search(/^\| Variable /m))
      .split('\n\n', 1)[0]!
      .split('\n')
      .slice(2)
    const table = lines.map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    expect(table).toEqual(rows)
  })
})

describe('precedence', () => {
  const sizes = (env: Record<string, string>) => {
    const { deviceLayout, hostLayout, diskLayout } = configFromEnvironment(env)
    return [deviceLayout?.numBlocks, hostLayout?.numBlocks, diskLayout?.numBlocks]
  }

  test('our own names win over the names of the page and over those of Dynamo (case 108)', () => {
    const both = { KVBM_WORKER_ID: '5', WORKER_ID: '6', KVBM_NUM_LAYERS: '16', NUM_LAYERS: '8' }
    const config = configFromEnvironment(both)
    expect([config.runtime.workerId, config.model.numLayers]).toEqual([5, 16])
    expect(sizes({ ...HOST, DYN_KVBM_CPU_CACHE_GB: '100' })).toEqual([undefined, 8, undefined])
  })

  test('a number of blocks wins over a number of bytes', () => {
    expect(sizes({ KVBM_HOST_BYTES: '4GiB', KVBM_HOST_NUM_BLOCKS: '9' })).toEqual([undefined, 9, undefined])
    expect(sizes({ GPU_MEMORY_GB: '80', KVBM_DEVICE_BYTES: '1GiB' })).toEqual([128, undefined, undefined])
  })

  test('the 24 GiB of the page hold only where no tier has a size', () => {
    expect(sizes(HOST)).toEqual([undefined, 8, undefined])
    expect(sizes({ ...HOST, GPU_MEMORY_GB: '24' })).toEqual([2457, 8, undefined])
    expect(sizes({ ...DISK, KVBM_HOST_BYTES: '0' })).toEqual([undefined, undefined, 8])
    expect(sizes({ KVBM_DEVICE: 'cpu' })).toEqual([2457, undefined, undefined])
  })

  test('a size of 0 is a tier that is not there', () => {
    expect(sizes({ ...HOST, ...DISK, KVBM_DISK_NUM_BLOCKS: '0' })).toEqual([undefined, 8, undefined])
    expect(issuesOf({ GPU_MEMORY_GB: '0' })).toMatchObject([{ path: 'deviceLayout', value: undefined }])
  })

  test("an override of 0 blocks leaves Dynamo's size in GB alone", () => {
    const env = { DYN_KVBM_CPU_CACHE_OVERRIDE_NUM_BLOCKS: '0', DYN_KVBM_CPU_CACHE_GB: '1' }
    expect(sizes(env)).toEqual([undefined, 119, undefined])
  })
})

describe('errors name variables', () => {
  test('a value that is out of range names the variable that gave it (case 109)', () => {
    expect(issuesOf({ NUM_LAYERS: '0', KVBM_OUTER_DIM: '3' })).toMatchObject([
      { path: 'NUM_LAYERS', value: '0', rule: 'an integer of 1 or more' },
      { path: 'KVBM_OUTER_DIM', value: '3', rule: '1 or 2' },
    ])
  })

  test('a disk tier without a directory names the variable to set', () => {
    expect(issuesOf({ KVBM_DISK_BYTES: '1GiB' })).toMatchObject([{ path: 'KVBM_DISK_PATH', value: undefined }])
  })

  test('a tier with settings and no size names the variable to set', () => {
    expect(issuesOf({ KVBM_HOST_LAYOUT: 'paged' })).toMatchObject([{ path: 'KVBM_HOST_NUM_BLOCKS', value: undefined }])
  })

  test('unreadable texts and values out of range are reported together', () => {
    const issues = issuesOf({ WORKER_ID: 'one', NUM_LAYERS: '0', KVBM_HOST_BYTES: '4gigs', GPU_MEMORY_GB: '-1' })
    expect(issues.map((issue) => issue.path)).toEqual(['WORKER_ID', 'GPU_MEMORY_GB', 'KVBM_HOST_BYTES', 'NUM_LAYERS'])
  })

  test('a size that cannot be read is not also a missing tier', () => {
    expect(issuesOf({ KVBM_HOST_BYTES: 'much', KVBM_DEVICE_NUM_BLOCKS: '0' }).map(({ path }) => path)).toEqual([
      'KVBM_HOST_BYTES',
    ])
  })

  test('a memory too small for one block is an error, not an empty tier', () => {
    expect(issuesOf({ GPU_MEMORY_GB: '0.001' })).toMatchObject([
      { path: 'GPU_MEMORY_GB', value: '0.001', rule: 'a number of GiB of which 80 % hold 1 to 134217728 blocks' },
    ])
    expect(issuesOf({ KVBM_HOST_NUM_BLOCKS: '99999999999' })).toMatchObject([
      { path: 'KVBM_HOST_NUM_BLOCKS', value: '99999999999', rule: 'an integer of 1 to 134217728' },
    ])
  })
})

test('a misspelt name is a warning with the nearest known one; names of other packages are not', () => {
  const env = { ...HOST, KVBM_HOST_BYTE: '1', KVBM_NATIVE: 'auto', KVBM_WHOLLY_UNRELATED_THING: '1', PATH: '/bin' }
  expect(configFromEnvironment(env).warnings).toEqual([
    { path: 'KVBM_HOST_BYTE', value: '1', rule: 'a known variable', remedy: 'Did you mean KVBM_HOST_BYTES?' },
  ])
})
