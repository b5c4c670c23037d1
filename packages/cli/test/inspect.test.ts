import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ask, CacheWorld, PAGE, prompt } from './support/cache-world.js'
import { Kvbm } from './support/kvbm.js'

const kvbm = new Kvbm()
afterAll(() => kvbm[Symbol.dispose]())

interface Findings {
  readonly blocks: number
  readonly usedBytes: number
  readonly models: readonly { readonly name: string; readonly [fact: string]: unknown }[]
}

test('models with their blocks, tokens, bytes and age, as a table and as data', async () => {
  using world = new CacheWorld()
  await world.fill([prompt(100)], { name: 'Small.gguf' })
  await world.fill([prompt(200)], { seed: 2, name: 'Large.gguf' })
  const { code, out } = await kvbm.run(['inspect', world.dir])
  expect(code).toBe(0)
  expect(out).toContain(`${world.dir}: 2 models, 18 blocks, `)
  expect(out).toMatch(/^Small\.gguf +[0-9a-f]{16} +6 +96 +[\d.]+ [KM]iB +[\d.]+ [KM]iB +just now +none seen$/m)
  const { blocks, models } = await kvbm.json<Findings>('inspect', world.dir)
  expect(blocks).toBe(18)
  expect(models).toHaveLength(2)
  expect(models.find(({ name }) => name === 'Large.gguf')).toMatchObject({ table: 'ok', blocks: 12, tokens: 12 * PAGE })
  const one = await kvbm.json<Findings>('inspect', world.dir, '--model', 'Large.gguf')
  expect(one.models.map(({ name }) => name)).toEqual(['Large.gguf'])
})

test('it changes nothing, beside a process that holds the directory and goes on to use it', async () => {
  using world = new CacheWorld()
  await world.fill([prompt(100)])
  await using kv = await world.open()
  expect(await ask(kv, prompt(100))).toBe(96)
  const before = filesBelow(world.dir)
  const { models } = await kvbm.json<Findings>('inspect', world.dir, '--verify')
  expect(models[0]).toMatchObject({ verified: { sound: 6, damaged: 0, changed: 0 } })
  expect(filesBelow(world.dir)).toEqual(before)
  await ask(kv, prompt(200))
  expect(kv.status().models[0]?.disk.state).toBe('ok')
})

test('--verify finds flipped bytes and damaged records, names them, and fails', async () => {
  using world = new CacheWorld()
  await world.fill([prompt(100)])
  expect((await kvbm.run(['inspect', world.dir, '--verify'])).code).toBe(0)
  world.damage('blocks.kvbm', (bytes) => bytes.with(99, bytes[99]! ^ 4))
  world.damage('slots.kvbm', (bytes) => bytes.with(2 ** 20 + 5 * 64 + 20, 0xee))
  expect((await kvbm.run(['inspect', world.dir])).out).toMatch(/ 5 .* 1 record$/m)
  const verified = await kvbm.run(['inspect', world.dir, '--verify'])
  expect(verified.out).toMatch(/1 record, 1 block$/m)
  expect(verified.code).toBe(1)
})

test('a model whose table cannot be read is listed with the reason', async () => {
  using world = new CacheWorld()
  await world.fill([prompt(100)])
  world.damage('slots.kvbm', (bytes) => bytes.fill(0xab, 0, 65_536))
  const { code, out } = await kvbm.run(['inspect', world.dir])
  expect(code).toBe(0)
  expect(out).toMatch(/its table is not ours$/m)
  expect((await kvbm.run(['inspect', world.dir, '--verify'])).code).toBe(1)
})

test('an empty directory and one of other things hold no models', async () => {
  using world = new CacheWorld()
  mkdirSync(world.dir)
  expect(await kvbm.run(['inspect', world.dir])).toMatchObject({
    code: 0,
    out: `${world.dir}: 0 models, 0 blocks, 0 B on disk\n`,
  })
  mkdirSync(join(world.dir, 'letters'))
  writeFileSync(join(world.dir, 'note.txt'), 'not a cache')
  expect(await kvbm.json('inspect', world.dir)).toEqual({ dir: world.dir, blocks: 0, usedBytes: 0, models: [] })
})

test.each([
  [['inspect', '/nowhere/at/all'], 1, /There is nothing at \/nowhere\/at\/all\. Give the directory of a cache\./],
  [['inspect', process.execPath], 1, /There is no directory at /],
  [['inspect'], 2, /Give the directory of a cache\. See kvbm inspect --help\./],
  [['inspect', 'a', 'b'], 2, /Unexpected argument 'b'\. See kvbm inspect --help\./],
  [['inspect', '--verfy'], 2, /Unknown option '--verfy'\. See kvbm inspect --help\./],
  [['inspekt'], 2, /There is no command 'inspekt'\. See kvbm --help\./],
])('kvbm %j ends with %i', async (args, code, message) => {
  const outcome = await kvbm.run(args)
  expect(outcome).toMatchObject({ code, out: '' })
  expect(outcome.err).toMatch(message)
})

test('a model that is not there is refused with those that are', async () => {
  using world = new CacheWorld()
  await world.fill([prompt(100)])
  const { code, err } = await kvbm.run(['inspect', world.dir, '--model', 'other'])
  expect(code).toBe(1)
  expect(err).toBe("There is no model 'other' here. There is: model-1.\n")
})

test('help of every command, without anything else', async () => {
  const all = await kvbm.run(['--help'])
  expect(all.code).toBe(0)
  const names = [...all.out.matchAll(/^ {2}(\w+) {2}/gm)].map(([, name]) => name!)
  expect(names.length).toBeGreaterThanOrEqual(5)
  for (const name of names) {
    const { code, out } = await kvbm.run([name, '--help'])
    expect(code, name).toBe(0)
    expect(out).toMatch(new RegExp(`^Usage: kvbm ${name} `))
  }
  expect((await kvbm.run([])).out).toBe(all.out)
})

test('its version', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  expect((await kvbm.run(['--version'])).out).toBe(`${version}\n`)
})

function filesBelow(dir: string): object[] {
  return (readdirSync(dir, { recursive: true }) as string[]).map((name) => {
    const { size, mtimeMs } = statSync(join(dir, name))
    return { name, size, mtimeMs }
  })
}
