import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KvbmError } from '@kvbm/core'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { addonCandidates } from '../lib/addon-candidates.js'
import { ABI_VERSION } from '../lib/binding.js'
import type { loadBinding, nativeBuildReport } from '../lib/index.js'
import { platformPackage } from '../lib/platform-package.js'
import { useTemporaryDirectory } from './support/temporary-directory.js'

const directory = useTemporaryDirectory()

beforeEach(() => {
  vi.resetModules()
  // Also where all tests run with the portable twin.
  vi.stubEnv('KVBM_NATIVE', '')
})
afterEach(() => vi.unstubAllEnvs())

describe('the native core', () => {
  test('is looked for where the user says, then where it is built, then in the package of the platform', () => {
    const asked: string[] = []
    const require = ((name: string) => asked.push(name)) as unknown as NodeJS.Require
    for (const { load } of addonCandidates({ KVBM_NATIVE_PATH: '/some/kvbm.node' }, require).slice(0, 2)) load()
    platformPackage(require, 'linux-x64').load()
    expect(asked).toEqual(['/some/kvbm.node', '../build/Release/kvbm.node', '@kvbm/native-linux-x64/kvbm.node'])
  })

  test('is looked for in two places when the user says nothing', () => {
    const names = addonCandidates({}, (() => {}) as unknown as NodeJS.Require).map(({ where }) => where)
    expect(names).toEqual(['native/build/Release/kvbm.node', expect.stringMatching(/^@kvbm\/native-\w+-\w+(-musl)?$/)])
  })

  test('on a platform without a package gives that as the reason', () => {
    const { where, load } = platformPackage((() => {}) as unknown as NodeJS.Require, 'plan9-mips')
    expect(where).toBe('@kvbm/native-plan9-mips')
    expect(load).toThrow('no package for this platform')
  })

  test('is taken from KVBM_NATIVE_PATH before anything else', async () => {
    const { loadBinding, nativeBuildReport } = await freshLoader(fakeAddon('good', `abiVersion: ${ABI_VERSION}`))
    expect(loadBinding({ native: 'required' }).describe().notes).toEqual(['fake'])
    expect(nativeBuildReport()).toEqual([])
  })

  test('is loaded once for each choice', async () => {
    const { loadBinding } = await freshLoader(fakeAddon('once', `abiVersion: ${ABI_VERSION}`))
    expect(loadBinding()).toBe(loadBinding())
    expect(loadBinding({ native: 'required' })).toBe(loadBinding({ native: 'required' }))
    expect(loadBinding({ native: 'portable' })).toBe(loadBinding({ native: 'portable' }))
  })

  test('of another ABI is KVBM_NATIVE_MISMATCH, whatever was asked for', async () => {
    const { loadBinding } = await freshLoader(fakeAddon('old', 'abiVersion: 999'))
    for (const native of ['auto', 'required'] as const) {
      expect(codeOf(() => loadBinding({ native }))).toBe('KVBM_NATIVE_MISMATCH')
      expect(() => loadBinding({ native })).toThrow(new RegExp(`ABI 999.*ABI ${ABI_VERSION}`))
    }
  })

  test('makes our own errors', async () => {
    const { loadBinding } = await freshLoader(fakeAddon('errors', `abiVersion: ${ABI_VERSION}`))
    const binding = loadBinding() as unknown as { fail(code: string, errno: number): Error }
    expect(binding.fail('KVBM_STORAGE_FULL', 28)).toMatchObject({
      name: 'StorageFullError',
      cause: { code: 'ENOSPC', errno: -28 },
    })
    expect(binding.fail('KVBM_STORAGE_IO', 0)).toMatchObject({
      name: 'StorageIoError',
      code: 'KVBM_STORAGE_IO',
    })
    expect(binding.fail('KVBM_CANCELLED', 0)).toMatchObject({ name: 'Error', code: 'KVBM_CANCELLED' })
  })

  test('that cannot hash gets the hashes of node:crypto', async () => {
    const { loadBinding } = await freshLoader(
      fakeAddon('hashless', `abiVersion: ${ABI_VERSION}, sha256: () => { throw new Error('no') }`, 'node-crypto'),
    )
    expect(loadBinding().sha256(new Uint8Array(0))[0]).toBe(0x42c4b0e3)
  })
})

describe('without a native core', () => {
  test('the reason is given for each place, and what to do', async () => {
    const { loadBinding, nativeBuildReport } = await freshLoader(brokenAddon())
    const error = failureOf(() => loadBinding({ native: 'required' }))
    // Where it is built there is no failure to look at.
    if (error === undefined) return expect(nativeBuildReport()).toHaveLength(1)
    expect(KvbmError.is(error, 'KVBM_NATIVE_UNAVAILABLE')).toBe(true)
    for (const { where, reason } of nativeBuildReport()) expect(String(error)).toContain(`${where}: ${reason}`)
    expect(String(error)).toContain('pnpm --filter @kvbm/native build')
  })

  test('a file that is no native core is passed over with the reason', async () => {
    const { loadBinding, nativeBuildReport } = await freshLoader(brokenAddon())
    failureOf(() => loadBinding({ native: 'required' }))
    expect(nativeBuildReport()[0]).toEqual({
      where: expect.stringContaining('broken'),
      reason: 'it is no native core of this package',
    })
  })

  test('a file that is missing is passed over with the reason', async () => {
    const { loadBinding, nativeBuildReport } = await freshLoader(join(directory, 'missing.node'))
    failureOf(() => loadBinding({ native: 'required' }))
    expect(nativeBuildReport()[0]!.reason).toBe('not there')
  })

  test('the portable twin is used with one warning that names all places', async () => {
    const { fallBack } = await withoutAddons()
    const warnings: string[] = []
    const logger = { debug() {}, info() {}, warn: (text: string) => void warnings.push(text), error() {} }
    expect([fallBack(logger), fallBack(logger), fallBack(logger)]).toEqual(['portable', 'portable', 'portable'])
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain('first place: broken there')
    expect(warnings[0]).toContain('second place: broken there')
    expect(warnings[0]).toContain('KVBM_NATIVE=portable')
  })

  test('the warning is a warning of the process when there is no logger', async () => {
    const { fallBack } = await withoutAddons()
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    fallBack()
    fallBack()
    expect(emit.mock.calls).toEqual([
      [expect.stringContaining('portable core is in use'), { type: 'KvbmWarning', code: 'KVBM_PORTABLE' }],
    ])
    emit.mockRestore()
  })
})

describe('KVBM_NATIVE', () => {
  test('chooses the portable twin without a warning and without looking', async () => {
    vi.stubEnv('KVBM_NATIVE', 'portable')
    const { loadBinding, nativeBuildReport } = await freshLoader(brokenAddon())
    expect(loadBinding().describe().kind).toBe('portable')
    expect(nativeBuildReport()).toEqual([])
  })

  test('is overruled by the option', async () => {
    vi.stubEnv('KVBM_NATIVE', 'required')
    const { loadBinding } = await freshLoader(brokenAddon())
    expect(loadBinding({ native: 'portable' }).describe().kind).toBe('portable')
  })

  test('of another value is a RangeError that names it', async () => {
    vi.stubEnv('KVBM_NATIVE', 'maybe')
    const { loadBinding } = await freshLoader(brokenAddon())
    expect(() => loadBinding()).toThrow("KVBM_NATIVE: expected auto, required or portable, got 'maybe'")
  })
})

interface Loader {
  readonly loadBinding: typeof loadBinding
  readonly nativeBuildReport: typeof nativeBuildReport
}

/** A loader that has loaded nothing yet. */
async function freshLoader(path: string): Promise<Loader> {
  vi.stubEnv('KVBM_NATIVE_PATH', path)
  return import('../lib/index.js')
}

/** A loader in a world where every place is broken. Returns the kind of binding that it falls back to. */
async function withoutAddons() {
  const broken = (where: string) => ({
    where,
    load() {
      throw new Error('broken there\nand more')
    },
  })
  const { BindingLoader } = await import('../lib/binding-loader.js')
  const loader = new BindingLoader(() => [broken('first place'), broken('second place')])
  return {
    fallBack: (logger?: Parameters<typeof loader.load>[0]['logger']) =>
      loader.load(logger === undefined ? {} : { logger }).describe().kind,
  }
}

/** A module in the place of a library. */
function fakeAddon(name: string, properties: string, sha256 = 'openssl-evp'): string {
  const path = join(directory, `${name}.cjs`)
  writeFileSync(
    path,
    `let make
    module.exports = {
      setErrorFactory(factory) { make = factory },
      fail: (code, errno) => make(code, 'it failed', errno),
      describe: () => ({ kind: 'native', abi: 1, sha256: '${sha256}', crc32c: 'table', notes: ['fake'] }),
      ${properties},
    }`,
  )
  return path
}

function brokenAddon(): string {
  const path = join(directory, 'broken.cjs')
  writeFileSync(path, 'module.exports = {}')
  return path
}

function failureOf(act: () => unknown): unknown {
  try {
    act()
    return undefined
  } catch (error) {
    return error
  }
}

function codeOf(act: () => unknown): unknown {
  return (failureOf(act) as { code?: unknown }).code
}
