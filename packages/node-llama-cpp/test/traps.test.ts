/*
 * The traps of llama.cpp's KV cache, one test each. 7.3 (bits depend on the batches) is exact.test.ts, 7.4 (a bad state file kills the
 * process) is damage.test.ts.
 */
import { LlamaChatSession } from 'node-llama-cpp'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { supportOf } from '../src/driver/support.js'
import { LlamaDriver } from '../src/index.js'
import { type CachedWorld, cachedWorld } from './support/cached-world.js'
import { type Seeming, seeming } from './support/seeming.js'
import { answer, cacheOf, countSaves, evaluatedIn, fill } from './support/sequences.js'
import { isMissing, type TinyEngine, tinyEngine, why } from './support/tiny-engine.js'
import { writeRecurrentModel, writeSlidingModel } from './support/unusual-models.js'
import { words } from './support/words.js'

const PROMPT = words(200)

describe.skipIf(isMissing)(`with a cache under node-llama-cpp${why}`, () => {
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

  test('trap 7.1: threads stay what the context was created with', async () => {
    const context = await world.plain({ threads: 1 })
    await fill(world.use(context), PROMPT)
    expect([context.idealThreads, context.currentThreads]).toEqual([1, 1])
  })

  test('trap 7.2: without flash attention values are transposed: declined by name, answered without cache', async () => {
    const sequence = (await world.cached({ flashAttention: false })).getSequence()
    const control = (await world.plain({ flashAttention: false })).getSequence()
    expect(await answer(sequence, PROMPT)).toEqual(await answer(control, PROMPT))
    expect(cacheOf(sequence).lastReport).toMatchObject({ reason: 'declined', declined: 'v-transposed' })
    expect(cacheOf(sequence).connector.status().support).toMatchObject({ ok: false, reason: 'v-transposed' })
  })

  test('trap 7.2: flash attention that was left to the engine and is off is found out at the first capture', async () => {
    const context = await world.plain({ flashAttention: false })
    const driver = new LlamaDriver(seeming(context, { flashAttention: true }), { pageSize: 16 })
    expect(driver.supports()).toEqual({ ok: true })
    const connector = world.kv.connect(driver)
    const sequence = context.getSequence()
    await sequence.evaluateWithoutGeneratingNewTokens(PROMPT)
    const session = connector.open(Uint32Array.from(PROMPT))
    session.capture({}, sequence)
    await session.finish()
    expect(await session.captured()).toMatchObject({ state: 'skipped', reason: 'declined' })
    expect(driver.supports()).toMatchObject({ ok: false, reason: 'v-transposed' })
  })

  test('trap 7.2: flash attention that was left to the engine and is on is cached', async () => {
    await fill(await world.cached({ flashAttention: 'auto' }), PROMPT)
    expect(world.kv.status().counters.capturedBlocks).toBe(12)
  })

  test('trap 7.5: at least one token is evaluated, of a prompt that is cached as a whole, too', async () => {
    const context = await world.cached()
    const sequence = context.getSequence()
    const whole = words(192)
    await fill(context, whole)
    expect(await evaluatedIn(sequence, () => answer(sequence, whole, 1))).toBe(16)
    expect(cacheOf(sequence).lastReport?.cachedTokens).toBe(176)
  })

  test('trap 7.6: a hand-over has a cap; beyond it requests run without cache, and everything is given back', async () => {
    await using narrow = await cachedWorld(tiny, { handOver: '64KiB' })
    const context = await narrow.cached()
    const [first, second] = [context.getSequence(), context.getSequence()]
    const cold = await answer(first, PROMPT)
    await cacheOf(first).settled()
    expect(await answer(second, PROMPT)).toEqual(cold)
    await cacheOf(second).settled()
    const { handOver, counters } = narrow.kv.status()
    expect(counters.skips).toEqual({ failed: 4 })
    expect(handOver).toMatchObject({ lent: 0, waiting: 0 })
  })

  test('trap 7.7: a save stops the whole context: one after the prompt, one after the answer, none for each token', async () => {
    const sequence = (await world.cached()).getSequence()
    const saves = countSaves(sequence)
    await answer(sequence, PROMPT, 60)
    await cacheOf(sequence).settled()
    expect(saves()).toBe(2)
    expect(world.kv.status().counters.capturedBlocks).toBe(Math.floor(259 / 16))
  })

  test('trap 7.7: while a request decodes nothing is captured of others', async () => {
    const context = await world.cached()
    const [first, second] = [context.getSequence(), context.getSequence()]
    const [firstSaves, secondSaves] = [countSaves(first), countSaves(second)]
    const decoding = first.evaluate(words(100, 3), { yieldEogToken: true })
    await decoding.next()
    await answer(second, PROMPT)
    for (let step = 0; step < 10; step++) await decoding.next()
    expect(secondSaves()).toBe(0)
    await decoding.return()
    await cacheOf(second).settled()
    expect([firstSaves(), secondSaves()]).toEqual([expect.any(Number), 1])
    expect(world.kv.status().counters.capturedBlocks).toBe(Math.floor(110 / 16) + Math.floor(207 / 16))
  })

  test('trap 7.7: a save that takes longer than maxStallMs is postponed until nobody needs the engine, and counted', async () => {
    await using hasty = await cachedWorld(tiny, { maxStallMs: 0 })
    const sequence = (await hasty.cached()).getSequence()
    const saves = countSaves(sequence)
    await answer(sequence, PROMPT)
    const { connector } = cacheOf(sequence)
    expect([saves(), hasty.kv.status().counters.skips]).toEqual([0, { 'stall-too-long': 1 }])
    expect(connector.status().captures).toEqual({ pending: 1, running: false, postponed: 1 })
    await cacheOf(sequence).settled()
    expect(saves()).toBe(1)
    expect(connector.status().captures.msPerMb).toBeGreaterThan(0)
    const { savedBytes, stallMs } = hasty.kv.status().counters
    expect(connector.status().captures.msPerMb).toBeCloseTo((stallMs * 1e6) / savedBytes)
  })

  test('trap 7.8: the last token of an answer is not in the sequence until it is evaluated: nothing of it is captured', async () => {
    const context = await world.cached()
    const [first, second] = [context.getSequence(), context.getSequence()]
    const prompt = words(190)
    const tokens = await answer(first, prompt, 3)
    expect(first.contextTokens).toEqual([...prompt, ...tokens.slice(0, 2)])
    await cacheOf(first).settled()
    await answer(second, [...prompt, ...tokens, ...words(20, 4)], 1)
    expect(cacheOf(second).lastReport?.cachedTokens).toBe(192)
  })

  const unusual: [string, Seeming][] = [
    ['sliding-window', { insights: { swaSize: 1024 } }],
    ['recurrent', { insights: { isRecurrent: true } }],
    ['hybrid', { insights: { isHybrid: true, isRecurrent: true } }],
    ['multimodal', { rope: { dimension_sections: [16, 24, 24, 0] } }],
    ['unequal-layers', { attention: { head_count_kv: [2, 1, 2] } }],
    ['unknown-adapters', { adapters: 1 }],
    ['v-transposed', { flashAttention: false }],
    ['unknown-format', { attention: { key_length: 0 } }],
  ]

  test.each(unusual)('trap 7.9: %s models are declined by name', async (reason, facts) => {
    const context = seeming(await world.plain(), facts)
    expect(supportOf({ context, loras: [] })).toEqual({ ok: false, reason, detail: expect.stringMatching(/\.$/) })
    const driver = new LlamaDriver(context, { pageSize: 16 })
    expect(driver.supports()).toMatchObject({ ok: false, reason })
    expect(driver.geometry.innerDim).toBeGreaterThan(0)
  })

  const real = [
    { reason: 'sliding-window', write: writeSlidingModel, options: {} },
    { reason: 'sliding-window', write: writeSlidingModel, options: { swaFullCache: true } },
    { reason: 'recurrent', write: writeRecurrentModel, options: {} },
  ] as const

  test.each(real)(
    'trap 7.9: a real $reason model $options is answered without cache',
    async ({ reason, write, options }) => {
      const modelPath = `${tiny.directory.path}/${reason}.gguf`
      await write(modelPath)
      const model = await tiny.llama.loadModel({ modelPath })
      const create = () => model.createContext({ contextSize: 512, threads: 1, flashAttention: true, ...options })
      const [plain, cached] = [await create(), world.use(await create())]
      const [control, sequence] = [plain.getSequence(), cached.getSequence()]
      const saves = countSaves(sequence)
      for (const tail of [words(30, 2), words(30, 3)]) {
        const ask = async (asked: typeof sequence) => {
          await asked.adaptStateToTokens([...PROMPT, ...tail], false)
          return answer(asked, [...PROMPT, ...tail].slice(asked.nextTokenIndex))
        }
        expect(await ask(sequence)).toEqual(await ask(control))
        expect(cacheOf(sequence).lastReport).toMatchObject({ declined: reason, reason: 'declined', cachedTokens: 0 })
      }
      await cacheOf(sequence).settled()
      expect(saves()).toBe(0)
      await model.dispose()
    },
  )

  test('trap 7.9: adapters that are named are part of the salt', async () => {
    const context = seeming(await world.plain(), { adapters: 1 })
    const driver = new LlamaDriver(context, { pageSize: 16, loras: ['style.gguf@0.5'] })
    expect(driver.supports()).toEqual({ ok: true })
    expect(driver.identity.loras).toEqual(['style.gguf@0.5'])
  })

  test('trap 7.10: after a context shift nothing of the sequence is captured or restored, until it is cleared', async () => {
    const context = await world.cached({ contextSize: 256 })
    const sequence = context.getSequence()
    await answer(sequence, PROMPT, 90)
    await cacheOf(sequence).settled()
    const { counters } = world.kv.status()
    expect(cacheOf(sequence).lastReport).toMatchObject({ declined: 'context-shift' })
    expect(counters.skips).toMatchObject({ 'context-shift': 1 })
    const shifted = sequence.contextTokens
    await answer(sequence, words(20, 2), 2)
    expect(cacheOf(sequence).lastReport).toMatchObject({ declined: 'context-shift', cachedTokens: 0 })
    const other = context.getSequence()
    await answer(other, [...shifted, ...words(20, 2)].slice(0, 250), 1)
    expect(cacheOf(other).lastReport?.cachedTokens).toBe(0)
    await sequence.clearHistory()
    await answer(sequence, PROMPT, 1)
    expect(cacheOf(sequence).lastReport).toMatchObject({ cachedTokens: 192 })
    expect(cacheOf(sequence).lastReport).not.toHaveProperty('declined')
  })

  test('trap 7.10: erasing in the middle moves what follows, also of tokens that all are the same', async () => {
    const context = await world.cached()
    const [sequence, other] = [context.getSequence(), context.getSequence()]
    const same = Array(120).fill(words(1)[0]!)
    await sequence.evaluateWithoutGeneratingNewTokens([...words(20, 3), ...same])
    await sequence.eraseContextTokenRanges([{ start: 10, end: 60 }])
    await sequence.evaluateWithoutGeneratingNewTokens(words(40, 4))
    await cacheOf(sequence).settled()
    expect(cacheOf(sequence).lastReport).toMatchObject({ declined: 'context-shift' })
    await answer(other, [...words(20, 3).slice(0, 10), ...same, ...words(9)], 1)
    expect(cacheOf(other).lastReport?.cachedTokens).toBe(0)
    await sequence.eraseContextTokenRanges([{ start: 10, end: sequence.nextTokenIndex }])
    await answer(sequence, words(90, 5), 1)
    expect(cacheOf(sequence).lastReport).not.toHaveProperty('declined')
  })

  test('trap 7.10: adapting with a shift, and a state that somebody else loaded, are of unknown origin', async () => {
    const context = await world.cached()
    const [adapted, loaded] = [context.getSequence(), context.getSequence()]
    await answer(adapted, PROMPT, 1)
    await adapted.adaptStateToTokens([...PROMPT.slice(0, 40), ...PROMPT.slice(100)])
    expect(adapted.nextTokenIndex).toBe(140)
    await answer(adapted, words(30, 2), 1)
    expect(cacheOf(adapted).lastReport).toMatchObject({ declined: 'context-shift' })
    const path = `${tiny.directory.path}/somebody.state`
    await adapted.saveStateToFile(path)
    await loaded.loadStateFromFile(path, { acceptRisk: true })
    await answer(loaded, words(30, 3), 1)
    expect(cacheOf(loaded).lastReport).toMatchObject({ declined: 'context-shift' })
  })

  test('trap 7.10: a chat that outgrows its context goes on as without cache', async () => {
    const chat = async (context: Awaited<ReturnType<CachedWorld['plain']>>) => {
      const session = new LlamaChatSession({ contextSequence: context.getSequence(), systemPrompt: 'bada koru' })
      const texts: string[] = []
      for (const question of ['One?', 'Two?', 'Three?', 'Four?'])
        texts.push(await session.prompt(question, { maxTokens: 60 }))
      return texts
    }
    const control = await chat(await world.plain({ contextSize: 256 }))
    expect(await chat(await world.cached({ contextSize: 256 }))).toEqual(control)
  })

  test('trap 7.11: a prompt that differs says where, in words', async () => {
    const context = await world.cached()
    await fill(context, PROMPT)
    const other = Uint32Array.from([...PROMPT.slice(0, 70), ...words(60, 8)])
    const { connector } = cacheOf(context.getSequence())
    const { firstDifference, byTier, reason } = connector.explain(other)
    expect(byTier.host).toBe(64)
    expect({ reason, token: firstDifference?.token }).toEqual({ reason: 'differs', token: 70 })
    expect(firstDifference?.here).not.toBe('')
  })
})
