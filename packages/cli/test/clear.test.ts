import { createHash } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KvBlockManager } from '@kvbm/manager'
import { afterAll, describe, expect, test } from 'vitest'
import { ask, CacheWorld, PAGE, prompt } from './support/cache-world.js'
import { Kvbm } from './support/kvbm.js'

const kvbm = new Kvbm()
afterAll(() => kvbm[Symbol.dispose]())

interface Clearings {
  readonly models: readonly { readonly outcome: string; readonly [fact: string]: unknown }[]
}

describe('models', () => {
  test('one by its name; without --yes it only says so', async () => {
    using world = new CacheWorld()
    await world.fill([prompt(100)], { name: 'Small.gguf' })
    await world.fill([prompt(100)], { seed: 2, name: 'Large.gguf' })
    const plan = await kvbm.run(['clear', world.dir, '--model', 'Small.gguf'])
    expect(plan.out).toMatch(/^Small\.gguf .* would be removed$/m)
    expect(plan.out).toMatch(/^Large\.gguf .* kept$/m)
    expect(world.models()).toHaveLength(2)
    expect((await kvbm.run(['clear', world.dir, '--model', 'Small.gguf', '--yes'])).code).toBe(0)
    expect(world.models()).toHaveLength(1)
    expect(await world.cachedTokens(prompt(100), { seed: 2 })).toBe(96)
  })

  test('all; one that is in use stays and makes it fail', async () => {
    using world = new CacheWorld()
    await world.fill([prompt(100)])
    await world.fill([prompt(100)], { seed: 2 })
    await using kv = await world.open()
    await ask(kv, prompt(100))
    const { code, out } = await kvbm.run(['clear', world.dir, '--yes'])
    expect(code).toBe(1)
    expect(out).toMatch(/^model-1 .* in use$/m)
    expect(out).toMatch(/^model-2 .* removed$/m)
    expect(world.models()).toHaveLength(1)
  })

  test('only one that was meant makes it fail by being in use', async () => {
    using world = new CacheWorld()
    await world.fill([prompt(100)])
    await world.fill([prompt(100)], { seed: 2 })
    await using kv = await world.open()
    await ask(kv, prompt(100))
    const clear = (model: string) => kvbm.run(['clear', world.dir, '--model', model, '--yes'])
    expect(await clear('model-1')).toMatchObject({ code: 1, out: expect.stringMatching(/^model-1 .* in use$/m) })
    expect(await clear('model-2')).toMatchObject({ code: 0, out: expect.stringMatching(/^model-2 .* removed$/m) })
  })
})

describe('a tenant', () => {
  test('its blocks go with their bytes, in exact mode too; those of others stay', async () => {
    using world = new CacheWorld()
    await world.fill([prompt(100, 1)], { tenant: 'acme' })
    await world.fill([prompt(600, 2)], { tenant: 'acme', exact: true })
    await world.fill([prompt(100, 1), prompt(100, 3)], { tenant: 'other' })
    await world.fill([prompt(100, 1)])
    const before = await kvbm.json<Clearings>('clear', world.dir, '--tenant', 'acme')
    expect(before.models[0]).toMatchObject({ outcome: 'would be erased', orphans: 0, others: 18, wipedBytes: 0 })
    expect(await world.cachedTokens(prompt(100, 1), { tenant: 'acme' })).toBe(96)
    const { models } = await kvbm.json<Clearings>('clear', world.dir, '--tenant', 'acme', '--yes')
    expect(models[0]).toMatchObject({ outcome: 'erased', blocks: before.models[0]!.blocks, others: 18 })
    expect(await world.cachedTokens(prompt(100, 1), { tenant: 'acme' })).toBe(0)
    expect(await world.cachedTokens(prompt(600, 2), { tenant: 'acme', exact: true })).toBe(0)
    expect(await world.cachedTokens(prompt(100, 3), { tenant: 'other' })).toBe(96)
    expect(await world.cachedTokens(prompt(100, 1))).toBe(96)
  })

  test('nothing of its bytes is left in the files', async () => {
    using world = new CacheWorld()
    await world.fill([prompt(100)], { tenant: 'acme' })
    expect(sumOfBytes(world)).not.toBe(0)
    await kvbm.json('clear', world.dir, '--tenant', 'acme', '--yes')
    expect(sumOfBytes(world)).toBe(0)
  })

  test('by the API key of a server, from a file or standard input', async () => {
    using world = new CacheWorld()
    const tenant = createHash('sha256').update('key-of-acme').digest('hex')
    await world.fill([prompt(100)], { tenant })
    writeFileSync(world.at('key'), 'key-of-acme\n')
    const fromFile = await kvbm.json<Clearings>('clear', world.dir, '--key-file', world.at('key'))
    expect(fromFile.models[0]).toMatchObject({ blocks: 6, others: 0 })
    const fromInput = await kvbm.run(['clear', world.dir, '--key-file', '-', '--yes'], { input: 'key-of-acme' })
    expect(fromInput.code).toBe(0)
    expect(await world.cachedTokens(prompt(100), { tenant })).toBe(0)
  })

  test('adapters have to be named: without it their blocks are counted among those that stay', async () => {
    using world = new CacheWorld()
    await world.fill([prompt(100)], { tenant: 'acme', loras: ['style@1', 'law@0.5'] })
    const count = async (...flags: string[]) =>
      (await kvbm.json<Clearings>('clear', world.dir, '--tenant', 'acme', ...flags)).models[0]
    expect(await count()).toMatchObject({ blocks: 0, others: 6 })
    expect(await count('--lora', 'law@0.5', '--lora', 'style@1')).toMatchObject({ blocks: 6, others: 0 })
  })

  test('blocks whose beginning is gone are nobody’s and go, too', async () => {
    using world = new CacheWorld()
    await world.fill([prompt(100)], { tenant: 'other' })
    // The first record: the one block that knows whose prompt this is.
    world.damage('slots.kvbm', (bytes) =>
      bytes.fill(0, 2 ** 20 + firstSlot(bytes) * 64, 2 ** 20 + firstSlot(bytes) * 64 + 64),
    )
    const { models } = await kvbm.json<Clearings>('clear', world.dir, '--tenant', 'acme', '--yes')
    expect(models[0]).toMatchObject({ outcome: 'erased', blocks: 0, orphans: 5, others: 0 })
    expect(sumOfBytes(world)).toBe(0)
  })

  test('a model that is in use, or whose table is damaged, makes it fail with the remedy', async () => {
    using world = new CacheWorld()
    await world.fill([prompt(100)], { tenant: 'acme' })
    const clear = () => kvbm.run(['clear', world.dir, '--tenant', 'acme', '--yes'])
    {
      await using kv = await world.open()
      await ask(kv, prompt(100), { tenant: 'acme' })
      expect(await clear()).toMatchObject({
        code: 1,
        out: expect.stringContaining('A process has a model open: stop it'),
      })
    }
    expect(await world.cachedTokens(prompt(100), { tenant: 'acme' })).toBe(96)
    world.damage('slots.kvbm', (bytes) => bytes.fill(0xab, 0, 65_536))
    expect(await clear()).toMatchObject({ code: 1, out: expect.stringContaining('Remove the whole model') })
  })

  test('under xxh3 tenants are not kept apart, so none is cleared', async () => {
    using world = new CacheWorld()
    const model = { numLayers: 1, outerDim: 2, pageSize: PAGE, innerDim: 64, hashAlgorithm: 'xxh3' } as const
    const disk = { numBlocks: 8, allocator: { kind: 'disk', path: world.dir } } as const
    await (await KvBlockManager.create({ model, diskLayout: disk })).close()
    const { code, out } = await kvbm.run(['clear', world.dir, '--tenant', 'acme', '--yes'])
    expect(code).toBe(1)
    expect(out).toContain('xxh3, which does not keep tenants apart')
  })
})

test.each([
  [['--tenant', 'a', '--key-file', 'b'], /Give --tenant or --key-file, not both/],
  [['--lora', 'a'], /--lora: give --tenant or --key-file with it/],
])('wrong usage %j', async (args, message) => {
  const { code, err } = await kvbm.run(['clear', '.', ...args])
  expect(code).toBe(2)
  expect(err).toMatch(message)
})

test('an empty key file is refused', async () => {
  using world = new CacheWorld()
  writeFileSync(world.at('key'), '\n')
  const { code, err } = await kvbm.run(['clear', world.root, '--key-file', world.at('key')])
  expect({ code, err }).toEqual({ code: 1, err: `There is no key in ${world.at('key')}.\n` })
  rmSync(world.at('key'))
})

/** The sum of all bytes of the only model's blocks. */
function sumOfBytes(world: CacheWorld): number {
  return readFileSync(join(world.dir, world.models()[0]!, 'blocks.kvbm')).reduce((sum, byte) => sum + byte, 0)
}

/** The slot whose block begins its prompt. */
function firstSlot(table: Uint8Array): number {
  const view = new DataView(table.buffer, table.byteOffset + 2 ** 20)
  const isFirst = (slot: number) => view.getUint32(slot * 64, true) !== 0 && view.getUint32(slot * 64 + 48, true) === 0
  return [0, 1, 2, 3, 4, 5].find(isFirst)!
}
