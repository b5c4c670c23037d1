import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { searchLibrary } from '../src/library-search.js'

let root: string

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'kvbm-nixl-')))
})

afterEach(() => {
  rmSync(root, { recursive: true })
})

/** Makes an empty file below the test's folder and returns its path. */
function place(path: string): string {
  const file = join(root, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, '')
  return file
}

function search(environment: Record<string, string>, path?: string) {
  return searchLibrary({
    path,
    environment,
    platform: 'linux',
    architecture: 'x64',
    defaultPrefix: join(root, 'default'),
  })
}

describe('searchLibrary', () => {
  test('takes the first that exists, in the documented order', () => {
    const explicit = place('explicit/any-name.so')
    const option = place('option/libnixl_capi.so')
    const prefix = place('prefix/lib64/libnixl_capi.so')
    const virtual = place('venv/lib/python3.11/site-packages/.nixl_cu12.mesonpy.libs/libnixl_capi.so')
    const site = place('site/.nixl_cu13.mesonpy.libs/libnixl_capi.so')
    const standard = place('default/lib/x86_64-linux-gnu/libnixl_capi.so.0')
    const loader = place('loader/libnixl_capi.so')
    const order = [
      ['NIXL_CAPI_LIBRARY', explicit, explicit],
      ['path', option, option],
      ['NIXL_PREFIX', join(root, 'prefix'), prefix],
      ['VIRTUAL_ENV', join(root, 'venv'), virtual],
      ['NIXL_PYTHON_SITE', join(root, 'site'), site],
    ] as const
    for (let first = 0; first < order.length; first++) {
      const { path, ...environment } = Object.fromEntries(order.slice(first).map(([name, value]) => [name, value]))
      expect(search({ ...environment, LD_LIBRARY_PATH: dirname(loader) }, path).path).toBe(order[first]![2])
    }
    expect(search({ LD_LIBRARY_PATH: dirname(loader) }).path).toBe(standard)
    rmSync(standard)
    expect(search({ LD_LIBRARY_PATH: `:${join(root, 'nowhere')}:${dirname(loader)}` }).path).toBe(loader)
  })

  test('says of each place why it was passed over', () => {
    const { path, tried } = search({
      NIXL_CAPI_LIBRARY: '/nowhere/x.so',
      NIXL_PREFIX: join(root, 'p'),
      VIRTUAL_ENV: root,
    })
    expect(path).toBeUndefined()
    expect(tried).toEqual([
      { where: 'NIXL_CAPI_LIBRARY=/nowhere/x.so', reason: 'no file there that can be read' },
      { where: 'path', reason: 'not set' },
      {
        where: `NIXL_PREFIX=${join(root, 'p')}`,
        reason: 'no libnixl_capi.so.0 or libnixl_capi.so in lib, lib64, lib/x86_64-linux-gnu',
      },
      { where: `VIRTUAL_ENV=${root}`, reason: 'no folder .nixl*.mesonpy.libs' },
      { where: 'NIXL_PYTHON_SITE', reason: 'not set' },
      {
        where: `default prefix=${join(root, 'default')}`,
        reason: 'no libnixl_capi.so.0 or libnixl_capi.so in lib, lib64, lib/x86_64-linux-gnu',
      },
      {
        where: 'libnixl_capi.so.0, libnixl_capi.so',
        reason: 'neither in LD_LIBRARY_PATH nor in the usual library folders',
      },
    ])
  })

  test('lists only what came before the one it found', () => {
    const file = place('lib/libnixl_capi.so')
    expect(search({}, file).tried).toEqual([{ where: 'NIXL_CAPI_LIBRARY', reason: 'not set' }])
  })

  test('resolves links, because the library looks for its parts beside itself', () => {
    const real = place('real/libnixl_capi.so')
    symlinkSync(real, join(root, 'link.so'))
    expect(search({ NIXL_CAPI_LIBRARY: join(root, 'link.so') }).path).toBe(real)
  })

  test('takes neither folders nor links to nothing', () => {
    mkdirSync(join(root, 'libnixl_capi.so'))
    symlinkSync(join(root, 'gone'), join(root, 'dangling.so'))
    expect(search({ NIXL_CAPI_LIBRARY: join(root, 'libnixl_capi.so') }, join(root, 'dangling.so')).path).toBeUndefined()
  })

  test('knows the library folder of other processors', () => {
    const file = place('p/lib/aarch64-linux-gnu/libnixl_capi.so')
    const request = {
      path: undefined,
      environment: { NIXL_PREFIX: join(root, 'p') },
      platform: 'linux',
      defaultPrefix: root,
    }
    expect(searchLibrary({ ...request, architecture: 'arm64' }).path).toBe(file)
    expect(searchLibrary({ ...request, architecture: 'x64' }).path).toBeUndefined()
  })

  test('does not look on systems that NIXL does not run on', () => {
    const request = { path: place('x.so'), environment: {}, architecture: 'arm64', defaultPrefix: root }
    expect(searchLibrary({ ...request, platform: 'darwin' })).toEqual({
      path: undefined,
      tried: [{ where: 'platform', reason: 'NIXL runs on Linux, this is darwin' }],
    })
  })
})
