import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { coldCuts, exactCaptureEnd, exactPrefix } from '../src/exact-prefix.js'
import { ask, branch, cold, openWorld, prompt, TemporaryDirectory } from './world.js'

const RULE = { pageSize: 16, minRows: 64, batchTokens: 512 }
const ENGINE = { minRows: 64, batchTokens: 512, numLayers: 1, rowBytes: 8 }

describe('how much of a cached prefix can be used with the bits of a cold run', () => {
  test.each([
    // prompt, cached, usable
    [1100, 1088, 1024], // last batch of 76 rows: 12 would be left, 76 are as the cold run has them
    [1040, 1024, 1024], // last batch of 16 rows: exactly it is left
    [1040, 1008, 960], // 16 rows before a cut of the cold run: give back to 64
    [528, 512, 512],
    [530, 528, 512], // cached rows were computed in a large batch, the cold run has them in a small one
    [300, 288, 224],
    [60, 48, 0], // the cold run has one small batch, and what is cached comes from large ones
  ])('%d tokens, %d cached: %d', (length, cached, usable) => {
    expect(exactPrefix(cached, length, RULE)).toBe(usable)
  })

  test('it never gives back more than four blocks when the cold run has large batches only', () => {
    fc.assert(
      fc.property(fc.integer({ min: 64, max: 3000 }), fc.nat(), (length, part) => {
        fc.pre(length % 512 >= 64)
        const cached = Math.floor((part % length) / 16) * 16
        expect(cached - exactPrefix(cached, length, RULE)).toBeLessThanOrEqual(64)
      }),
    )
  })

  test('an engine whose bits do not depend on batches gives nothing back', () => {
    expect(exactPrefix(1088, 1100, { ...RULE, minRows: 0, batchTokens: Number.MAX_SAFE_INTEGER })).toBe(1088)
    expect(exactCaptureEnd(1100, { ...RULE, minRows: 0, batchTokens: Number.MAX_SAFE_INTEGER })).toBe(1100)
  })

  test('only what is computed in large batches is captured', () => {
    expect(exactCaptureEnd(528, RULE)).toBe(512)
    expect(exactCaptureEnd(600, RULE)).toBe(600)
    expect(exactCaptureEnd(1024, RULE)).toBe(1024)
    expect(exactCaptureEnd(40, RULE)).toBe(0)
  })

  test('the evaluation is cut where a cold run is cut', () => {
    expect(coldCuts(448, 1100, 512)).toEqual([512, 1024, 1100])
    expect(coldCuts(512, 1100, 512)).toEqual([1024, 1100])
    expect(coldCuts(1024, 1100, 512)).toEqual([1100])
    expect(coldCuts(0, 0, 512)).toEqual([])
  })
})

describe('exact mode gives the bits of a cold run', () => {
  test('the engine of these tests is one whose bits depend on the batch', async () => {
    await using world = await openWorld({ engine: ENGINE })
    const tokens = prompt(600)
    await ask(world, tokens)
    const usual = await ask(world, prompt(600))
    expect(usual.report.cachedTokens).toBe(592)
    expect(usual.logits).not.toBe(await cold(world.engine, tokens))
  })

  test('a longer prompt over a prefix that was captured at length 528', async () => {
    await using world = await openWorld({ engine: ENGINE })
    const first = await ask(world, prompt(528), { exact: true })
    expect(first.report.capture.storedBlocks).toBe(32)
    const longer = await ask(world, prompt(700), { exact: true })
    expect(longer.report.cachedTokens).toBe(512)
    expect(longer.logits).toBe(await cold(world.engine, prompt(700)))
  })

  test.each([300, 528, 530, 576, 700, 1000, 1024, 1040, 1100])('repeated, %d tokens', async (length) => {
    await using world = await openWorld({ engine: ENGINE })
    await ask(world, prompt(length), { exact: true })
    const again = await ask(world, prompt(length), { exact: true })
    expect(again.report.cachedTokens).toBeGreaterThan(length - 64 - 64 - 16)
    expect(again.logits).toBe(await cold(world.engine, prompt(length)))
  })

  test('any history of prompts over shared prefixes', async () => {
    const lengths = fc.array(fc.tuple(fc.integer({ min: 1, max: 900 }), fc.integer({ min: 0, max: 900 })), {
      maxLength: 6,
    })
    await fc.assert(
      fc.asyncProperty(lengths, async (history) => {
        await using world = await openWorld({ engine: ENGINE, cache: { host: '16MiB' } })
        for (const [length, shared] of history) {
          const tokens = branch(prompt(900), Math.min(shared, length), Math.max(0, length - shared), 3)
          const { logits } = await ask(world, tokens, { exact: true })
          expect(logits).toBe(await cold(world.engine, tokens))
        }
      }),
      { numRuns: 15 },
    )
  })

  test('a damaged block shortens the hit to where the bits are those of a cold run', async () => {
    using directory = new TemporaryDirectory()
    const cache = { dir: directory.path, disk: '32MiB' }
    {
      await using world = await openWorld({ engine: ENGINE, cache })
      await ask(world, prompt(1100), { exact: true })
    }
    directory.damageBlock(63, 16 * 8 * 2)
    await using world = await openWorld({ engine: ENGINE, cache })
    const { report, logits } = await ask(world, prompt(1100), { exact: true })
    expect(report.cachedTokens).toBe(960)
    expect(logits).toBe(await cold(world.engine, prompt(1100)))
  })

  test('answers are never captured', async () => {
    await using world = await openWorld({ engine: ENGINE })
    const answer = prompt(64, 9)
    const { report, slot } = await ask(world, prompt(576), { exact: true, answer })
    expect(slot.length).toBe(640)
    expect(report.capture.storedBlocks).toBe(36)
  })

  test('rows that shared batches with another request are not captured', async () => {
    await using world = await openWorld({ engine: { minRows: 64 } })
    const { connector, engine } = world
    await connector.ready()
    const session = connector.open(prompt(200), { exact: true })
    connector.enter()()
    const slot = engine.slot()
    await engine.evaluate(slot, prompt(200))
    session.prefilled({ tokens: 200, ms: 200 })
    session.capture({}, slot)
    await session.finish()
    expect(await session.captured()).toMatchObject({ state: 'skipped', reason: 'not-alone' })
  })
})
