import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ask, cold, openWorld, PAGE, prompt, TemporaryDirectory, type World } from './world.js'

const TOKENS = prompt(10 * PAGE + 1)
const BLOCK_BYTES = 2 * 2 * 64 * PAGE

test.each(['file', 'memory'] as const)('a flipped bit on disk ends the hit before it (%s)', async (through) => {
  await using again = await reopened(through, (data) =>
    data.with(4 * BLOCK_BYTES + 99, data[4 * BLOCK_BYTES + 99]! ^ 4),
  )
  const { report, logits, evaluated } = await ask(again.world, TOKENS)
  expect(report.cachedTokens).toBe(4 * PAGE)
  expect(evaluated).toBe(6 * PAGE + 1)
  expect(logits).toBe(await cold(again.world.engine, TOKENS))
  expect(again.world.kv.status().models[0]?.manager?.corrupt.disk).toBe(1)
})

test('the damaged block is computed and stored again', async () => {
  await using again = await reopened('file', (data) => data.with(0, data[0]! ^ 1))
  expect((await ask(again.world, TOKENS)).report).toMatchObject({ cachedTokens: 0, capture: { storedBlocks: 1 } })
  expect((await ask(again.world, TOKENS)).report.cachedTokens).toBe(10 * PAGE)
})

test('one block that is missing at the front of many is stored again, because all behind it are of use then', async () => {
  using directory = new TemporaryDirectory()
  const cache = { dir: directory.path, disk: '32MiB' }
  const tokens = prompt(64 * PAGE + 1)
  {
    await using world = await openWorld({ cache })
    await ask(world, tokens)
  }
  directory.damageBlock(0, BLOCK_BYTES)
  await using world = await openWorld({ cache })
  expect((await ask(world, tokens)).report).toMatchObject({ cachedTokens: 0, capture: { storedBlocks: 1 } })
  expect((await ask(world, tokens)).report.cachedTokens).toBe(64 * PAGE)
})

test('a truncated file loses the blocks beyond its end', async () => {
  using directory = new TemporaryDirectory()
  await fill(directory.path)
  truncateSync(directory.at(directoryOf(directory), 'blocks.kvbm'), 3 * BLOCK_BYTES + 5)
  await using world = await openWorld({ cache: { dir: directory.path, disk: '32MiB' } })
  const { report, logits } = await ask(world, TOKENS)
  expect(report.cachedTokens).toBe(3 * PAGE)
  expect(logits).toBe(await cold(world.engine, TOKENS))
})

test('a damaged superblock turns the disk off, says why, and the rest works', async () => {
  using directory = new TemporaryDirectory()
  await fill(directory.path)
  const table = directory.at(directoryOf(directory), 'slots.kvbm')
  writeFileSync(table, readFileSync(table).fill(0xab, 0, 65_536))
  await using world = await openWorld({ cache: { dir: directory.path, disk: '32MiB' } })
  await ask(world, TOKENS)
  expect((await ask(world, TOKENS)).report.byTier).toMatchObject({ host: 10 * PAGE, disk: 0 })
  expect(world.kv.status().models[0]?.disk).toMatchObject({ state: 'off', reason: expect.stringContaining('not ours') })
})

test('blocks of another model, adapter, quantisation or setting never match, on one directory', async () => {
  using directory = new TemporaryDirectory()
  await fill(directory.path)
  const cache = { dir: directory.path, disk: '128MiB', modelsMax: 4 }
  for (const driver of [{ facts: { ropeBase: 10_000 } }, { loras: ['style@0.5'] }, { pageSize: 32 }]) {
    await using world = await openWorld({ driver, cache })
    expect((await ask(world, TOKENS)).report.cachedTokens).toBe(0)
  }
  await using other = await openWorld({ engine: { seed: 2 }, cache })
  expect((await ask(other, TOKENS)).report.cachedTokens).toBe(0)
  await using wider = await openWorld({ engine: { rowBytes: 128 }, cache })
  expect((await ask(wider, TOKENS)).report.cachedTokens).toBe(0)
  await using same = await openWorld({ cache })
  expect((await ask(same, TOKENS)).report.cachedTokens).toBe(10 * PAGE)
})

test('the name is for people: the same model under another name matches', async () => {
  using directory = new TemporaryDirectory()
  await fill(directory.path)
  await using world = await openWorld({
    driver: { name: 'renamed.gguf' },
    cache: { dir: directory.path, disk: '32MiB' },
  })
  expect((await ask(world, TOKENS)).report.cachedTokens).toBe(10 * PAGE)
})

test('tenants and exact mode do not see each other', async () => {
  await using world = await openWorld()
  await ask(world, TOKENS, { tenant: 'acme' })
  expect((await ask(world, TOKENS)).report.cachedTokens).toBe(0)
  expect((await ask(world, TOKENS, { tenant: 'zenith' })).report.cachedTokens).toBe(0)
  expect((await ask(world, TOKENS, { tenant: 'acme', exact: true })).report.cachedTokens).toBe(0)
  expect((await ask(world, TOKENS, { tenant: 'acme' })).report.cachedTokens).toBe(10 * PAGE)
})

interface Again extends AsyncDisposable {
  readonly world: World
}

/** Fills a cache, closes it, changes the bytes of its blocks on disk, opens it again. */
async function reopened(through: 'file' | 'memory', damage: (data: Uint8Array) => Uint8Array): Promise<Again> {
  const directory = new TemporaryDirectory()
  await fill(directory.path, through)
  const path = directory.at(directoryOf(directory), 'blocks.kvbm')
  expect(statSync(path).size).toBeGreaterThanOrEqual(10 * BLOCK_BYTES)
  writeFileSync(path, damage(readFileSync(path)))
  const world = await openWorld({ driver: { through }, cache: { dir: directory.path, disk: '32MiB' } })
  return {
    world,
    async [Symbol.asyncDispose]() {
      await world.kv.close()
      directory[Symbol.dispose]()
    },
  }
}

async function fill(dir: string, through: 'file' | 'memory' = 'file'): Promise<void> {
  await using world = await openWorld({ driver: { through }, cache: { dir, disk: '32MiB' } })
  expect((await ask(world, TOKENS)).report.capture.storedBlocks).toBe(10)
}

function directoryOf(directory: TemporaryDirectory): string {
  return readdirSync(directory.path).find((name) => /^[0-9a-f]{16}$/.test(name))!
}
