import { NixlOptions } from '@kvbm/config'
import { KvbmError } from '@kvbm/core'
import { expect, test } from 'vitest'
import { openManager, recordingLogger } from './world.js'

async function openWith(nixl: unknown) {
  const log: string[] = []
  const runtime = { workerId: 5, logger: recordingLogger(log), ...(nixl === undefined ? {} : { nixl }) }
  const manager = await openManager({ more: { hostLayout: { numBlocks: 1 }, runtime } })
  return { manager, log }
}

test('never asked for, NIXL is off without a word', async () => {
  const { manager, log } = await openWith(undefined)
  await using _ = manager
  expect(log).toEqual([])
  expect(manager.status().nixl).toEqual({ state: 'off', reason: expect.stringMatching(/NIXL/) })
})

test('asked for and not here, it is off with one report that says where it was looked for', async () => {
  const { manager, log } = await openWith(NixlOptions.Enabled)
  await using _ = manager
  expect(log).toEqual([expect.stringMatching(/^warn: NIXL was asked for and is off; .*NIXL_CAPI_LIBRARY/s)])
  expect(manager.status().nixl.state).toBe('off')
})

test('required and not here, it is an error with its code, and the cause', async () => {
  const error = await openWith({ mode: 'enabled', required: true }).catch((thrown: unknown) => thrown)
  expect(KvbmError.is(error, 'KVBM_NIXL_UNAVAILABLE')).toBe(true)
  expect((error as Error).message).toMatch(/^NIXL is required and cannot be had\. .*NIXL_CAPI_LIBRARY/s)
  expect((error as Error).cause).toMatchObject({ code: 'KVBM_NIXL_UNAVAILABLE' })
})

test('disabled, it is off without a word, and nothing is looked for', async () => {
  const { manager, log } = await openWith(NixlOptions.Disabled)
  await using _ = manager
  expect(log).toEqual([])
  expect(manager.status().nixl).toEqual({ state: 'off', reason: 'disabled in the configuration' })
})

test('an agent of the caller is used, named in status, and closed by the caller alone', async () => {
  let closed = 0
  const agent = { name: 'mine', close: async () => void closed++ }
  const { manager } = await openWith(NixlOptions.EnabledWithAgent(agent))
  expect(manager.status().nixl).toEqual({ state: 'ok', reason: '', agent: 'mine' })
  await manager.close()
  expect(closed).toBe(0)
})

test.each([
  ['without a name', { close: async () => {} }],
  ['with an empty name', { name: '', close: async () => {} }],
  ['that cannot be closed', { name: 'agent' }],
  ['that is no object', 'agent'],
  ['that is missing', undefined],
])('an agent %s is an error of the configuration', async (_, agent) => {
  const opening = openWith({ mode: 'with-agent', agent })
  await expect(opening).rejects.toMatchObject({
    code: 'KVBM_CONFIG_INVALID',
    issues: [{ path: 'runtime.nixl.agent' }],
  })
})
