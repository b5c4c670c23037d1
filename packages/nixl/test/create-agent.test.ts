import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KvbmError } from '@kvbm/core'
import { describe, expect, test } from 'vitest'
import { createAgent, probe } from '../src/index.js'

const linux = process.platform === 'linux'
const NOWHERE = { path: '/nowhere/libnixl_capi.so', environment: {} }

async function rejection(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => expect.unreachable('resolved'),
    (error: Error) => error,
  )
}

function temporaryFile(): { readonly path: string; [Symbol.dispose](): void } {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'kvbm-nixl-')))
  const path = join(folder, 'libnixl_capi.so')
  writeFileSync(path, '')
  return { path, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
}

describe('createAgent', () => {
  test('rejects with each place that was tried, and with what to do', async () => {
    const error = await rejection(createAgent('worker-0', NOWHERE))
    expect(KvbmError.is(error, 'KVBM_NIXL_UNAVAILABLE')).toBe(true)
    const { tried } = await probe(NOWHERE)
    expect(tried.length).toBeGreaterThan(0)
    for (const { where, reason } of tried) expect(error.message).toContain(`  ${where}: ${reason}\n`)
    expect(error.message).toContain("'worker-0'")
    expect(error.message).toContain('set NIXL_CAPI_LIBRARY')
    expect(error.message).toContain('comes in a later version')
  })

  test('refuses an empty name before it looks anywhere', async () => {
    for (const name of ['', undefined as never, 7 as never]) {
      expect(await rejection(createAgent(name))).toBeInstanceOf(RangeError)
    }
  })

  test.skipIf(!linux)(
    'says where the library is when it is there (skipped where NIXL does not run: not Linux)',
    async () => {
      using file = temporaryFile()
      const error = await rejection(createAgent('worker-0', { path: file.path, environment: {} }))
      expect(KvbmError.is(error, 'KVBM_NIXL_UNAVAILABLE')).toBe(true)
      expect(error.message).toContain(`the library is at ${file.path}, but this version cannot use it`)
    },
  )
})

describe('probe', () => {
  test('resolves without a library and says so', async () => {
    const result = await probe(NOWHERE)
    expect([result.available, result.path]).toEqual([false, undefined])
    expect(JSON.parse(JSON.stringify(result))).toEqual(result)
  })

  test.skipIf(!linux)('finds a file without opening it (skipped where NIXL does not run: not Linux)', async () => {
    using file = temporaryFile()
    expect(await probe({ path: file.path, environment: {} })).toMatchObject({ available: 'found', path: file.path })
  })

  test('reads the environment of the process unless it is given one', async () => {
    const given = await probe({ environment: process.env })
    expect(await probe()).toEqual(given)
  })
})
