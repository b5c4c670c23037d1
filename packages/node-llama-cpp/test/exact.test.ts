import type { LlamaContext, LlamaContextSequence, Token } from 'node-llama-cpp'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type CachedWorld, cachedWorld } from './support/cached-world.js'
import { largestDifference, logitsAfter } from './support/cut-and-restore.js'
import { cacheOf, fill } from './support/sequences.js'
import { isMissing, type TinyEngine, tinyEngine, why } from './support/tiny-engine.js'
import { words } from './support/words.js'

/** Prompts on both sides of 64 rows in the last batch of 512. */
const LENGTHS = [300, 528, 575, 576, 700, 1000, 1040, 1100]

describe.skipIf(isMissing)(`trap 7.3: bits depend on how a prompt is cut into batches${why}`, () => {
  let tiny: TinyEngine
  let world: CachedWorld
  let cold: LlamaContext

  beforeAll(async () => {
    tiny = await tinyEngine()
  })
  beforeEach(async () => {
    world = await cachedWorld(tiny)
    cold = await world.plain()
  })
  afterEach(() => world[Symbol.asyncDispose]())
  afterAll(() => tiny?.[Symbol.asyncDispose]())

  const exact = (): Promise<LlamaContext> => world.cached({}, { exact: true })

  async function logitsOf(sequence: LlamaContextSequence, prompt: Token[]): Promise<Map<Token, number>> {
    const logits = await logitsAfter(sequence, prompt)
    if (sequence.context !== cold) await cacheOf(sequence).settled()
    return logits
  }

  test.each(LENGTHS)('exact mode gives the bits of a cold run: %i tokens', async (length) => {
    const context = await exact()
    const prompt = words(length)
    await fill(context, prompt)
    const sequence = context.getSequence()
    const restored = await logitsOf(sequence, prompt)
    expect(largestDifference(restored, await logitsOf(cold.getSequence(), prompt))).toBe(0)
    const cachedTokens = cacheOf(sequence).lastReport?.cachedTokens ?? 0
    expect(cachedTokens).toBeGreaterThanOrEqual(length - 16 * 5)
    expect(cachedTokens).toBeLessThan(length)
  })

  test.each([560, 700, 1100])('a prompt of %i tokens over a prefix captured at 528', async (length) => {
    const context = await exact()
    await fill(context, words(528))
    const sequence = context.getSequence()
    const restored = await logitsOf(sequence, words(length))
    expect(largestDifference(restored, await logitsOf(cold.getSequence(), words(length)))).toBe(0)
    expect(cacheOf(sequence).lastReport?.cachedTokens).toBeGreaterThan(400)
  })

  test('evaluate in exact mode: the probabilities of every token of the answer', async () => {
    const context = await exact()
    await fill(context, words(700))
    const first = async (sequence: LlamaContextSequence) => {
      const all: unknown[] = []
      for await (const { token, probabilities } of sequence.evaluateWithMetadata(words(700), { probabilities: true })) {
        all.push([token, [...probabilities]])
        if (all.length === 5) break
      }
      return all
    }
    const sequence = context.getSequence()
    expect(await first(sequence)).toEqual(await first(cold.getSequence()))
    expect(cacheOf(sequence).lastReport?.cachedTokens).toBeGreaterThan(600)
  })

  test('in usual mode the tail is short and the bits may differ, but are those of the same split', async () => {
    const context = await world.cached()
    await fill(context, words(300))
    const [sequence, control] = [context.getSequence(), cold.getSequence()]
    const restored = await logitsOf(sequence, words(300))
    await control.evaluateWithoutGeneratingNewTokens(words(300).slice(0, 288))
    expect(largestDifference(restored, await logitsOf(control, words(300).slice(288)))).toBe(0)
    expect(largestDifference(restored, await logitsOf(cold.getSequence(), words(300)))).toBeGreaterThan(0)
  })

  test('exact blocks are kept apart from usual ones', async () => {
    await fill(await world.cached(), words(300))
    const sequence = (await exact()).getSequence()
    await logitsOf(sequence, words(300))
    expect(cacheOf(sequence).lastReport?.cachedTokens).toBe(0)
  })

  test('answers, and prompts that other requests shared their batches with, are not captured in exact mode', async () => {
    const context = await exact()
    const [first, second, third] = [context.getSequence(), context.getSequence(), context.getSequence()]
    await Promise.all([first, second].map((one, seed) => one.evaluateWithoutGeneratingNewTokens(words(300, seed))))
    await Promise.all([first, second].map((one) => cacheOf(one).settled()))
    expect(world.kv.status().counters.capturedBlocks).toBe(0)
    for await (const _ of third.evaluate(words(300, 5))) if (third.nextTokenIndex > 350) break
    await cacheOf(third).settled()
    expect(world.kv.status().counters.capturedBlocks).toBe(18)
  })
})
