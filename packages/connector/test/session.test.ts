import { describe, expect, test } from 'vitest'
import { ask, cold, openWorld, PAGE, prompt, TemporaryDirectory } from './world.js'

describe.each(['file', 'memory'] as const)('a request through %s', (through) => {
  test('computes a prompt once; asked again it evaluates only what is left, with the same result', async () => {
    await using world = await openWorld({ driver: { through } })
    const tokens = prompt(100)
    const first = await ask(world, tokens)
    expect(first.report).toMatchObject({ promptTokens: 100, cachedTokens: 0, reason: 'nothing-cached' })
    expect(first.report.capture).toMatchObject({ state: 'stored', storedBlocks: 6 })
    const second = await ask(world, tokens)
    expect(second.report).toMatchObject({ cachedTokens: 96, byTier: { host: 96, disk: 0 }, decision: 'load' })
    expect(second.evaluated).toBe(4)
    expect(second.logits).toBe(first.logits)
    expect(second.logits).toBe(await cold(world.engine, tokens))
  })

  test('after a restart the prompt comes from disk, with the same result', async () => {
    using directory = new TemporaryDirectory()
    const cache = { dir: directory.path, disk: '32MiB' }
    const tokens = prompt(100)
    {
      await using world = await openWorld({ driver: { through }, cache })
      await ask(world, tokens)
    }
    await using world = await openWorld({ driver: { through }, cache })
    const again = await ask(world, tokens)
    expect(again.report.byTier).toEqual({ device: 0, host: 0, disk: 96 })
    expect(again.logits).toBe(await cold(world.engine, tokens))
  })

  test('at least one token is left to evaluate', async () => {
    await using world = await openWorld({ driver: { through } })
    const tokens = prompt(6 * PAGE)
    await ask(world, tokens)
    expect((await ask(world, tokens)).evaluated).toBe(PAGE)
  })
})
