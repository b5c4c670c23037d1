import {
  DraftSequenceTokenPredictor,
  InputLookupTokenPredictor,
  LlamaChatSession,
  LlamaCompletion,
  type LlamaContext,
} from 'node-llama-cpp'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { kvCacheOf } from '../src/index.js'
import { type CachedWorld, cachedWorld } from './support/cached-world.js'
import { largestDifference, logitsAfter } from './support/cut-and-restore.js'
import { answer, cacheOf, evaluatedIn, fill } from './support/sequences.js'
import { isMissing, type TinyEngine, tinyEngine, why } from './support/tiny-engine.js'
import { words } from './support/words.js'

const PROMPT = words(200)

describe.skipIf(isMissing)(`with a cache${why}`, () => {
  let tiny: TinyEngine
  let world: CachedWorld

  beforeAll(async () => {
    tiny = await tinyEngine()
  })
  beforeEach(async () => {
    world = await cachedWorld(tiny)
  })
  afterEach(() => world[Symbol.asyncDispose]())
  afterAll(() => tiny?.[Symbol.asyncDispose]())

  test('the same object comes back, of a context and of a sequence', async () => {
    const context = await world.plain()
    const sequence = context.getSequence()
    expect(kvCacheOf(sequence)).toBeUndefined()
    expect(world.use(sequence)).toBe(sequence)
    expect(world.use(context)).toBe(context)
    expect(kvCacheOf(context.getSequence())).toBeDefined()
  })

  test('evaluate: a prompt asked again, in another sequence, is restored; only what is new is evaluated', async () => {
    const context = await world.cached()
    const [first, second] = [context.getSequence(), context.getSequence()]
    const cold = await answer(first, PROMPT)
    await cacheOf(first).settled()
    const evaluated = await evaluatedIn(second, async () => expect(await answer(second, PROMPT)).toEqual(cold))
    expect(evaluated).toBe(200 - 192 + 7)
    expect(cacheOf(second).lastReport).toMatchObject({ promptTokens: 200, cachedTokens: 192, byTier: { host: 192 } })
  })

  test('evaluate: a sequence that was wrapped alone hits what another context computed', async () => {
    await fill(await world.cached(), PROMPT)
    const sequence = world.use((await world.plain()).getSequence())
    await answer(sequence, PROMPT)
    expect(cacheOf(sequence).lastReport?.cachedTokens).toBe(192)
  })

  test('evaluateWithMetadata: replaced tokens are evaluated instead, and captured under their own name', async () => {
    const context = await world.cached()
    const [first, second] = [context.getSequence(), context.getSequence()]
    const forced = words(40, 5)
    const generation = first.evaluateWithMetadata(PROMPT, { confidence: true })
    expect((await generation.next()).value).toMatchObject({ confidence: expect.any(Number) })
    await generation.next(forced)
    await generation.return()
    await cacheOf(first).settled()
    await answer(second, [...PROMPT, ...forced, ...words(10, 6)])
    expect(cacheOf(second).lastReport?.cachedTokens).toBe(240)
  })

  test('evaluateWithoutGeneratingNewTokens: its prompt is restored, and what follows goes on with it', async () => {
    const context = await world.cached()
    await fill(context, PROMPT)
    const [sequence, control] = [context.getSequence(), (await world.plain()).getSequence()]
    const evaluated = await evaluatedIn(sequence, () => sequence.evaluateWithoutGeneratingNewTokens(PROMPT))
    expect(evaluated).toBe(8)
    await control.evaluateWithoutGeneratingNewTokens(PROMPT.slice(0, 192))
    await control.evaluateWithoutGeneratingNewTokens(PROMPT.slice(192))
    expect(await answer(sequence, words(3, 9))).toEqual(await answer(control, words(3, 9)))
    await cacheOf(sequence).settled()
    expect(cacheOf(sequence).lastReport).toMatchObject({ promptTokens: 200, cachedTokens: 192 })
  })

  test('controlledEvaluate: items that ask for output are never skipped, and indices are the caller’s', async () => {
    const context = await world.cached()
    await fill(context, PROMPT)
    const [sequence, control] = [context.getSequence(), (await world.plain()).getSequence()]
    const input = PROMPT.map((token, index) =>
      index === 100 || index === 199
        ? ([token, { generateNext: { logits: true, token: true } }] as [typeof token, object])
        : token,
    )
    const heard: number[] = []
    const options = { onTokenResult: (index: number) => void heard.push(index) }
    const evaluated = await evaluatedIn(sequence, async () => {
      const outputs = await sequence.controlledEvaluate(input, options)
      await control.evaluateWithoutGeneratingNewTokens(PROMPT.slice(0, 96))
      const expected = await control.controlledEvaluate(input.slice(96))
      for (const index of [100, 199])
        expect(largestDifference(outputs[index]!.next.logits!, expected[index - 96]!.next.logits!)).toBe(0)
      expect(Object.keys(outputs).filter((index) => outputs[Number(index)] !== undefined)).toEqual(['100', '199'])
    })
    expect(heard).toEqual([100, 199])
    expect(evaluated).toBe(200 - 96)
  })

  test('controlledEvaluate: a loop of single tokens is one request, captured when it rests', async () => {
    const context = await world.cached()
    const [first, second] = [context.getSequence(), context.getSequence()]
    await first.controlledEvaluate(PROMPT)
    for (const token of words(40, 5)) await first.controlledEvaluate([[token, { generateNext: { token: true } }]])
    expect(world.kv.status().counters.requests).toBe(1)
    await cacheOf(first).settled()
    await answer(second, [...PROMPT, ...words(41, 5)])
    expect(cacheOf(second).lastReport?.cachedTokens).toBe(240)
  })

  test('a request that rests for a while ends by itself', async () => {
    const sequence = (await world.cached()).getSequence()
    await sequence.evaluateWithoutGeneratingNewTokens(PROMPT)
    world.clock.pass(49)
    await sequence.controlledEvaluate(words(3, 5))
    world.clock.pass(49)
    expect(cacheOf(sequence).lastReport).toBeUndefined()
    world.clock.pass(1)
    await expect.poll(() => cacheOf(sequence).lastReport).toMatchObject({ promptTokens: 200 })
  })

  test('adaptStateToTokens: what stays is not restored, what comes back is', async () => {
    const context = await world.cached()
    const sequence = context.getSequence()
    await answer(sequence, PROMPT)
    await cacheOf(sequence).settled()
    await sequence.adaptStateToTokens(PROMPT.slice(0, 50))
    await sequence.adaptStateToTokens(PROMPT.slice(0, 50), false)
    expect(sequence.nextTokenIndex).toBe(50)
    const evaluated = await evaluatedIn(sequence, () => answer(sequence, PROMPT.slice(50), 1))
    expect(evaluated).toBe(8)
    await sequence.adaptStateToTokens(PROMPT.slice(0, 195), false)
    await answer(sequence, PROMPT.slice(195), 1)
    expect(cacheOf(sequence).lastReport).toMatchObject({ reason: 'resident', cachedTokens: 0 })
  })

  test('eraseContextTokenRanges: a tail that was erased is forgotten, not captured', async () => {
    const context = await world.cached()
    const [first, second] = [context.getSequence(), context.getSequence()]
    await answer(first, PROMPT)
    await first.eraseContextTokenRanges([{ start: 100, end: first.nextTokenIndex }])
    const other = words(80, 4)
    await answer(first, other, 1)
    await cacheOf(first).settled()
    await answer(second, [...PROMPT.slice(0, 100), ...other], 1)
    expect(cacheOf(second).lastReport?.cachedTokens).toBe(176)
    const control = (await world.plain()).getSequence()
    await control.evaluateWithoutGeneratingNewTokens([...PROMPT.slice(0, 100), ...other])
    expect(await answer(second, words(5, 8))).toEqual(await answer(control, words(5, 8)))
  })

  test('LlamaChatSession: the second chat with the same beginning evaluates its own words only', async () => {
    const context = await world.cached()
    const systemPrompt = 'bada koru '.repeat(40)
    const ask = async (question: string, from: LlamaContext) => {
      const contextSequence = from.getSequence()
      const session = new LlamaChatSession({ contextSequence, systemPrompt })
      const text = await session.prompt(question, { maxTokens: 12 })
      const again = await session.prompt('And then?', { maxTokens: 12 })
      return { contextSequence, texts: [text, again] }
    }
    const first = await ask('One?', context)
    await cacheOf(first.contextSequence).settled()
    const second = await ask('Two?', context)
    const { usedInputTokens } = second.contextSequence.tokenMeter.getState()
    expect(usedInputTokens).toBeLessThan(second.contextSequence.nextTokenIndex / 2)
    expect(world.kv.status().counters.hitTokens.host).toBeGreaterThan(100)
    expect(second.texts).toEqual((await ask('Two?', await world.plain())).texts)
  })

  test('LlamaCompletion: the second completion of a text is restored', async () => {
    const context = await world.cached()
    const [first, second] = [context.getSequence(), context.getSequence()]
    const text = tiny.model.detokenize(PROMPT)
    const complete = (contextSequence: typeof first) =>
      new LlamaCompletion({ contextSequence }).generateCompletion(text, { maxTokens: 12 })
    const cold = await complete(first)
    await cacheOf(first).settled()
    expect(await complete(second)).toBe(cold)
    expect(cacheOf(second).lastReport?.cachedTokens).toBe(192)
  })

  test.each(['looking up the input', 'a draft model'])(
    'token prediction by %s: the same text, restored',
    async (kind) => {
      const context = await world.cached()
      const draft = await world.cached()
      const every = words(250)
      const control = await answer((await world.plain()).getSequence(), every, 40)
      const predictor = () => {
        if (kind === 'a draft model')
          return new DraftSequenceTokenPredictor(draft.getSequence(), { minConfidence: 0.01, minTokens: 1 })
        const lookup = new InputLookupTokenPredictor()
        lookup.updateInputTokens(control)
        return lookup
      }
      const first = context.getSequence({ tokenPredictor: predictor() })
      expect(await answer(first, every, 40)).toEqual(control)
      await cacheOf(first).settled()
      const second = context.getSequence({ tokenPredictor: predictor() })
      expect(await answer(second, every, 40)).toEqual(control)
      expect(cacheOf(second).lastReport?.cachedTokens).toBe(240)
      expect(second.tokenPredictions.used).toBeGreaterThan(0)
      const third = context.getSequence()
      await answer(third, [...every, ...control], 1)
      expect(cacheOf(third).lastReport).toMatchObject({ cachedTokens: 288, capture: { state: 'queued' } })
    },
  )

  test('several sequences at once: each gets its own blocks', async () => {
    const context = await world.cached({ sequences: 4 })
    const prompts = [1, 2, 3].map((seed) => [...words(64), ...words(90, seed)])
    const expected = []
    for (const prompt of prompts) {
      const sequence = context.getSequence()
      expected.push(await answer(sequence, prompt))
      await cacheOf(sequence).settled()
      await sequence.dispose()
    }
    const sequences = prompts.map(() => context.getSequence())
    const answers = await Promise.all(sequences.map((sequence, index) => answer(sequence, prompts[index]!)))
    expect(answers).toEqual(expected)
    for (const sequence of sequences) expect(cacheOf(sequence).lastReport?.cachedTokens).toBe(144)
  })

  test.each(['F16', 'F32', 'Q8_0'] as const)(
    '%s KV: logits after a restore are those of the same split, difference 0',
    async (type) => {
      const types = { experimentalKvCacheKeyType: type, experimentalKvCacheValueType: type }
      const context = await world.cached(types)
      await fill(context, PROMPT)
      const [sequence, control] = [context.getSequence(), (await world.plain(types)).getSequence()]
      const restored = await logitsAfter(sequence, PROMPT)
      await control.evaluateWithoutGeneratingNewTokens(PROMPT.slice(0, 192))
      expect(largestDifference(restored, await logitsAfter(control, PROMPT.slice(192)))).toBe(0)
      await cacheOf(sequence).settled()
      expect(cacheOf(sequence).lastReport?.cachedTokens).toBe(192)
    },
  )

  test('keys and values of different types are cached together', async () => {
    const types = { experimentalKvCacheKeyType: 'Q8_0', experimentalKvCacheValueType: 'F16' } as const
    const context = await world.cached(types)
    await fill(context, PROMPT)
    const sequence = context.getSequence()
    const control = await answer((await world.plain(types)).getSequence(), PROMPT)
    expect(await answer(sequence, PROMPT)).toEqual(control)
    expect(cacheOf(sequence).lastReport?.cachedTokens).toBe(192)
  })

  test('contexts of another KV type, and other models, share nothing', async () => {
    await fill(await world.cached(), PROMPT)
    await using other = await tinyEngine({ seed: 2 })
    const foreign = world.use(await other.context())
    const quantised = await world.cached({ experimentalKvCacheKeyType: 'Q8_0', experimentalKvCacheValueType: 'Q8_0' })
    for (const context of [foreign, quantised]) {
      const sequence = context.getSequence()
      await answer(sequence, PROMPT)
      expect(cacheOf(sequence).lastReport).toMatchObject({ cachedTokens: 0, reason: 'nothing-cached' })
    }
  })

  test('tenants do not see each other’s blocks', async () => {
    const context = await world.cached()
    await fill(context, PROMPT)
    const sequence = context.getSequence()
    cacheOf(sequence).settings = { tenant: 'acme' }
    await answer(sequence, PROMPT)
    expect(cacheOf(sequence).lastReport?.cachedTokens).toBe(0)
  })

  test('a context has one cache', async () => {
    const context = await world.cached()
    await using another = await cachedWorld(tiny)
    expect(() => another.use(context)).toThrow(TypeError)
  })
})
