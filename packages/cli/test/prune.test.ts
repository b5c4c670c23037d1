import { chmodSync, existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { superfluous } from '../src/prune.js'
import { ask, CacheWorld, prompt } from './support/cache-world.js'
import { Kvbm } from './support/kvbm.js'

const kvbm = new Kvbm()
afterAll(() => kvbm[Symbol.dispose]())

interface Removals {
  readonly models: readonly { readonly name: string; readonly outcome: string; readonly usedBytes: number }[]
}

const outcomes = ({ models }: Removals) => Object.fromEntries(models.map(({ name, outcome }) => [name, outcome]))

/** Three models; the first was last used ten days ago, the second three, the third now. */
async function threeModels(): Promise<CacheWorld> {
  const world = new CacheWorld()
  for (const [seed, days] of [
    [1, 10],
    [2, 3],
    [3, 0],
  ] as const) {
    const before = new Set(seed === 1 ? [] : world.models())
    await world.fill([prompt(100)], { seed })
    const name = world.models().find((other) => !before.has(other))!
    const then = new Date(Date.now() - days * 86_400_000)
    for (const file of readdirSync(join(world.dir, name))) utimesSync(join(world.dir, name, file), then, then)
  }
  return world
}

test('what is older goes; without --yes it only says so', async () => {
  using world = await threeModels()
  const plan = await kvbm.run(['prune', world.dir, '--older-than', '7d'])
  expect(plan.code).toBe(0)
  expect(plan.out).toMatch(/^model-1 .* 10 days ago +would be removed$/m)
  expect(plan.out).toMatch(/1 model, .*: nothing is removed yet\. Add --yes to do it\.$/m)
  expect(world.models()).toHaveLength(3)
  const done = await kvbm.json<Removals>('prune', world.dir, '--older-than', '7d', '--yes')
  expect(outcomes(done)).toEqual({ 'model-1': 'removed', 'model-2': 'kept', 'model-3': 'kept' })
  expect(world.models()).toHaveLength(2)
  expect(await world.cachedTokens(prompt(100), { seed: 2 })).toBe(96)
})

test('the longest unused go until what is left is small enough', async () => {
  using world = await threeModels()
  const { models } = await kvbm.json<Removals>('prune', world.dir, '--keep', '0')
  const keep = models[1]!.usedBytes + models[2]!.usedBytes
  const done = await kvbm.json<Removals>('prune', world.dir, '--keep', String(keep), '--yes')
  expect(outcomes(done)).toEqual({ 'model-1': 'removed', 'model-2': 'kept', 'model-3': 'kept' })
})

test('a model that a process has open stays, whatever its age', async () => {
  using world = await threeModels()
  await using kv = await world.open()
  await ask(kv, prompt(100), { seed: 1 })
  const done = await kvbm.json<Removals>('prune', world.dir, '--keep', '0', '--yes')
  expect(outcomes(done)).toEqual({ 'model-1': 'in use', 'model-2': 'removed', 'model-3': 'removed' })
  expect(await ask(kv, prompt(100), { seed: 1 })).toBe(96)
})

test('what is not ours stays, also under a name like ours', async () => {
  using world = new CacheWorld()
  await world.fill([prompt(100)])
  const foreign = join(world.dir, '0123456789abcdef')
  mkdirSync(foreign)
  writeFileSync(join(foreign, 'thesis.txt'), 'years of work')
  const done = await kvbm.json<Removals>('prune', world.dir, '--keep', '0', '--yes')
  expect(outcomes(done)).toEqual({ 'model-1': 'removed', '0123456789abcdef': 'not ours' })
  expect(readdirSync(foreign)).toEqual(['thesis.txt'])
})

test('a model with a damaged table can be removed', async () => {
  using world = new CacheWorld()
  await world.fill([prompt(100)])
  world.damage('slots.kvbm', (bytes) => bytes.fill(0xab, 0, 65_536))
  const done = await kvbm.json<Removals>('prune', world.dir, '--keep', '0', '--yes')
  expect(done.models.map(({ outcome }) => outcome)).toEqual(['removed'])
  expect(world.models()).toEqual([])
})

test('a directory without models gets no file of ours', async () => {
  using world = new CacheWorld()
  mkdirSync(world.dir)
  const { code, out } = await kvbm.run(['prune', world.dir, '--keep', '0', '--yes'])
  expect({ code, out }).toEqual({ code: 0, out: `${world.dir} holds no models.\n` })
  expect(readdirSync(world.dir)).toEqual([])
  expect((await kvbm.run(['prune', world.at('none'), '--keep', '0'])).code).toBe(1)
  expect(existsSync(world.at('none'))).toBe(false)
})

test.skipIf(process.platform === 'win32')(
  'a directory that others may write is refused, and left as it is',
  async () => {
    using world = new CacheWorld()
    await world.fill([prompt(100)])
    chmodSync(world.dir, 0o777)
    for (const command of [['prune', '--keep', '0'], ['clear'], ['clear', '--tenant', 'acme']]) {
      const [name, ...flags] = command
      const { code, err } = await kvbm.run([name!, world.dir, ...flags, '--yes'])
      expect(code).toBe(1)
      expect(err).toContain('writable by others')
    }
    expect((await kvbm.json<{ blocks: number }>('inspect', world.dir)).blocks).toBe(6)
  },
)

test.each([
  [[], /Give --keep SIZE or --older-than AGE/],
  [['--keep', 'much'], /--keep: expected a size such as 10GiB or 500MB, got 'much'/],
  [['--older-than', '7 weeks'], /--older-than: expected an age such as 7d, 12h, 30m or 45s, got '7 weeks'/],
])('wrong usage %j', async (args, message) => {
  const { code, err } = await kvbm.run(['prune', '.', ...args])
  expect(code).toBe(2)
  expect(err).toMatch(message)
})

test('age and size together: what is too old goes first and counts as gone', () => {
  const model = (usedMs: number, usedBytes: number) => ({ usedMs, usedBytes })
  const all = [model(1, 10), model(2, 10), model(3, 10), model(4, 10)]
  const limits = { keepBytes: 25, usedBeforeMs: 2 }
  expect(superfluous(all, all, limits)).toEqual([model(1, 10), model(2, 10)])
  expect(superfluous(all.slice(2), all, { keepBytes: 25, usedBeforeMs: 0 })).toEqual([model(3, 10), model(4, 10)])
  expect(superfluous(all, all, { keepBytes: Number.POSITIVE_INFINITY, usedBeforeMs: 3 })).toEqual(all.slice(0, 2))
})
