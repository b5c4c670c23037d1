import type { LlamaContextSequence, Token } from 'node-llama-cpp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kvCacheOf, withKvCache } from '../src/index.js'
import { isMissing, smallCache, type TinyEngine, tinyEngine, why, words } from './support/tiny-engine.js'

describe.skipIf(isMissing)(`evaluate with a cache${why}`, () => {
  let tiny: TinyEngine

  beforeAll(async () => {
    tiny = await tinyEngine()
  })

  afterAll(() => tiny?.[Symbol.asyncDispose]())

  async function answer(sequence: LlamaContextSequence, prompt: Token[], count = 8): Promise<Token[]> {
    const tokens: Token[] = []
    for await (const token of sequence.evaluate(prompt)) if (tokens.push(token) === count) break
    return tokens
  }

  test('a prompt asked again in another sequence is restored: only what is new is evaluated', async () => {
    await using kv = await smallCache()
    const context = withKvCache(await tiny.context({ sequences: 2 }), kv)
    const [first, second] = [context.getSequence(), context.getSequence()]
    const prompt = words(200)
    const cold = await answer(first, prompt)
    await kvCacheOf(first)!.settled()
    const before = second.tokenMeter.getState()
    expect(await answer(second, prompt)).toEqual(cold)
    const { usedInputTokens, usedOutputTokens } = second.tokenMeter.diff(before)
    expect(kvCacheOf(second)!.lastReport).toMatchObject({ promptTokens: 200, cachedTokens: 192, byTier: { host: 192 } })
    expect(usedInputTokens + usedOutputTokens).toBe(200 - 192 + 7)
    await context.dispose()
  })
})
