import { readFileSync } from 'node:fs'
import { describe, expect, test, vi } from 'vitest'
import {
  BlockConsumedError,
  ClosedError,
  ConfigError,
  DeadlineError,
  DeviceUnavailableError,
  DirectoryForeignError,
  DirectoryLockedError,
  KvbmError,
  type KvbmErrorCode,
  ModelUnavailableError,
  NativeMismatchError,
  NativeUnavailableError,
  NixlUnavailableError,
  PoolExhaustedError,
  ShardingUnavailableError,
  StorageFullError,
  StorageIoError,
} from '../src/index.js'

interface Sample {
  readonly make: () => KvbmError
  /** What a reader must find in the message. */
  readonly says: readonly string[]
}

const cause = new Error('inner')

const SAMPLES: Readonly<Record<KvbmErrorCode, Sample>> = {
  KVBM_CONFIG_INVALID: {
    make: () => new ConfigError([{ path: 'model.pageSize', value: 0, rule: 'a positive integer', remedy: 'Take 16.' }]),
    says: ['1 problem in', 'model.pageSize', 'a positive integer', 'got 0', 'Take 16.'],
  },
  KVBM_POOL_EXHAUSTED: {
    make: () => new PoolExhaustedError({ requested: 5, available: 2, total: 64, waiting: 3 }),
    says: ['5 requested', '2 of 64', '3 callers waiting', 'raise numBlocks'],
  },
  KVBM_BLOCK_CONSUMED: {
    make: () => new BlockConsumedError('MutableBlocks', 'register()'),
    says: ['MutableBlocks', 'register()'],
  },
  KVBM_CLOSED: { make: () => new ClosedError('manager'), says: ['manager is closed'] },
  KVBM_DEADLINE: {
    make: () => new DeadlineError('Onboarding', 250),
    says: ['Onboarding', '250 ms', 'Raise the deadline'],
  },
  KVBM_STORAGE_FULL: { make: () => new StorageFullError('No space for 4096 bytes', { cause }), says: ['4096'] },
  KVBM_STORAGE_IO: { make: () => new StorageIoError('Read 5 of 4096 bytes', { cause }), says: ['5 of 4096'] },
  KVBM_DIRECTORY_LOCKED: {
    make: () => new DirectoryLockedError('./kv', 'lock held'),
    says: ['./kv', 'lock held', 'another path'],
  },
  KVBM_DIRECTORY_FOREIGN: {
    make: () => new DirectoryForeignError('./kv', 'it is a link'),
    says: ['./kv', 'it is a link', 'nothing was changed'],
  },
  KVBM_NATIVE_UNAVAILABLE: {
    make: () => new NativeUnavailableError('No binary: 3 places tried', { cause }),
    says: ['3 places'],
  },
  KVBM_NATIVE_MISMATCH: {
    make: () => new NativeMismatchError(2, 1, './kvbm.node'),
    says: ['./kvbm.node', 'ABI 1', 'ABI 2'],
  },
  KVBM_DEVICE_UNAVAILABLE: {
    make: () => new DeviceUnavailableError('cuda:7: 2 devices here', { cause }),
    says: ['cuda:7'],
  },
  KVBM_SHARDING_UNAVAILABLE: {
    make: () => new ShardingUnavailableError('hostLayout'),
    says: ['hostLayout.logical', 'allocator'],
  },
  KVBM_NIXL_UNAVAILABLE: {
    make: () => new NixlUnavailableError('No library: 6 places tried', { cause }),
    says: ['6 places'],
  },
  KVBM_MODEL_UNAVAILABLE: {
    make: () => new ModelUnavailableError('No file model.gguf. Give the path of a GGUF file.', { cause }),
    says: ['model.gguf', 'GGUF file'],
  },
}

const CODES = Object.keys(SAMPLES) as KvbmErrorCode[]

function read(path: string): string {
  return readFileSync(new URL(path, import.meta.url), 'utf8')
}

describe('errors', () => {
  test.each(CODES)('%s carries its code, its class name and the facts', (code) => {
    const error = SAMPLES[code].make()
    expect([error.code, error.name]).toEqual([code, error.constructor.name])
    expect(error).toBeInstanceOf(KvbmError)
    for (const fact of SAMPLES[code].says) expect(error.message).toContain(fact)
  })

  test.each(CODES.filter((code) => /FULL|IO|NATIVE_U|DEVICE|NIXL/.test(code)))(
    '%s keeps the inner failure as its cause',
    (code) => {
      expect(SAMPLES[code].make().cause).toBe(cause)
    },
  )

  test('each code has a class of its own', () => {
    expect(new Set(CODES.map((code) => SAMPLES[code].make().constructor)).size).toBe(CODES.length)
  })

  test('PoolExhaustedError has its numbers as fields', () => {
    const facts = { requested: 5, available: 2, total: 64, waiting: 3 }
    expect(new PoolExhaustedError(facts)).toMatchObject(facts)
  })
})

describe('KvbmError.is', () => {
  test('knows errors of another copy of the package by their code', async () => {
    vi.resetModules()
    const copy = await import('../src/index.js')
    const foreign = new copy.ClosedError('pool')
    expect(foreign instanceof KvbmError).toBe(false)
    expect(KvbmError.is(foreign)).toBe(true)
    expect(KvbmError.is(foreign, 'KVBM_CLOSED')).toBe(true)
    expect(KvbmError.is(foreign, 'KVBM_DEADLINE')).toBe(false)
  })

  test('refuses what is no error of ours', () => {
    const system = Object.assign(new Error('no entry'), { code: 'ENOENT' })
    const numbered = Object.assign(new Error('numbered'), { code: 7 })
    for (const other of [undefined, null, 'KVBM_CLOSED', { code: 'KVBM_CLOSED' }, new Error('x'), system, numbered]) {
      expect(KvbmError.is(other)).toBe(false)
    }
  })
})

describe('ConfigError', () => {
  test('lists every issue on a line of its own, with path, rule, value and remedy', () => {
    const issues = [
      { path: 'model.numLayers', value: -1, rule: 'an integer of 1 or more', remedy: 'Give the number of layers.' },
      { path: 'diskLayout.allocator.path', value: undefined, rule: 'a path', remedy: 'Name a directory.' },
    ]
    const error = new ConfigError(issues)
    expect(error.issues).toEqual(issues)
    expect(error.message.split('\n')).toEqual([
      '2 problems in the configuration:',
      '  model.numLayers: an integer of 1 or more, got -1. Give the number of layers.',
      '  diskLayout.allocator.path: a path, got nothing. Name a directory.',
    ])
  })

  test('cuts a name without end, and keeps it whole in its issue', () => {
    const path = `model.${'x'.repeat(100_000)}`
    const error = new ConfigError([{ path, value: 1, rule: 'a known name', remedy: 'Remove it.' }])
    expect(error.message).toMatch(/model\.x{90,200}…: a known name, got 1\. Remove it\.$/)
    expect(error.issues[0]!.path).toBe(path)
  })

  test('shows values that JSON cannot', () => {
    const circular: { self?: unknown } = {}
    circular.self = circular
    const got = (value: unknown): string => new ConfigError([{ path: 'p', value, rule: 'r', remedy: 'm' }]).message
    expect(got(5n)).toContain('got 5n')
    expect(got(() => 1)).toContain('got a function')
    expect(got(Symbol('s'))).toContain('got Symbol(s)')
    expect(got(circular)).toContain('got [object Object]')
    expect(got({ a: 'x' })).toContain('got {"a":"x"}')
    expect(got({ a: 5n, b: () => 1, c: new Uint8Array(9) })).toContain(
      'got {"a":"5n","b":"a function","c":"Uint8Array of 9 bytes"}',
    )
    expect(got(Object.assign(Object.create(null), { self: circular }))).toContain('got a value without text')
  })
})

describe('docs/errors.md', () => {
  const sections = read('../../../docs/errors.md').split(/^## /m).slice(1)

  test('has one heading for each code in errors.ts, in the same order', () => {
    const source = read('../src/errors.ts')
    const union = source.slice(source.indexOf('type KvbmErrorCode'), source.indexOf('/** Something that can go wrong'))
    const codes = union.match(/KVBM_[A-Z_]+/g)
    expect(codes?.toSorted()).toEqual(CODES.toSorted())
    expect(sections.map((section) => section.split('\n', 1)[0])).toEqual(codes)
  })

  test('tells meaning, typical cause and remedy of each', () => {
    for (const section of sections) {
      for (const part of ['**Meaning.**', '**Typical cause.**', '**Remedy.**']) expect(section).toContain(part)
    }
  })
})
