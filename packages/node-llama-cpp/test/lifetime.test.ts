import type { Token } from 'node-llama-cpp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CachedWorld, cachedWorld } from './support/cached-world.js'
import { bundleProgram, ChildProgram } from './support/child-program.js'
import { answer, cacheOf, fill } from './support/sequences.js'
import { temporaryDirectory } from './support/temporary-directory.js'
import { isMissing, type TinyEngine, tinyEngine, why } from './support/tiny-engine.js'
import { words } from './support/words.js'

/** Deaths in a row. */
const KILLS = Number(process.env.KVBM_KILLS ?? 3)
const PROMPT = words(400)

describe.skipIf(isMissing)(`coming to an end${why}`, () => {
  let tiny: TinyEngine
  let cold: Token[]

  beforeAll(async () => {
    tiny = await tinyEngine()
    await using world = await cachedWorld(tiny)
    cold = await answer((await world.plain()).getSequence(), PROMPT)
  })
  afterAll(() => tiny?.[Symbol.asyncDispose]())

  /** What a later reader finds of `PROMPT`. */
  async function cachedIn(world: CachedWorld): Promise<number | undefined> {
    const sequence = (await world.cached()).getSequence()
    expect(await answer(sequence, PROMPT)).toEqual(cold)
    return cacheOf(sequence).lastReport?.cachedTokens
  }

  test('a context that is disposed of right after an answer lets its captures run first', async () => {
    await using world = await cachedWorld(tiny)
    const context = await world.cached()
    await answer(context.getSequence(), PROMPT)
    await Promise.all([context.dispose(), context.dispose()])
    expect(context.disposed).toBe(true)
    expect(await cachedIn(world)).toBe(384)
  })

  test('a context that is disposed of while captures run and answers are open', async () => {
    await using world = await cachedWorld(tiny)
    const context = await world.cached()
    const open = context.getSequence().evaluate(words(100, 2), { yieldEogToken: true })
    await open.next()
    const sequence = context.getSequence()
    await sequence.evaluateWithoutGeneratingNewTokens(PROMPT)
    const settled = cacheOf(sequence).settled()
    await context.dispose()
    await settled
    await expect(open.next()).rejects.toThrow()
    expect(await cachedIn(world)).toBe(384)
  })

  test('a model that is disposed of takes its contexts along', async () => {
    await using other = await tinyEngine()
    await using world = await cachedWorld(other)
    await answer((await world.cached()).getSequence(), PROMPT)
    await other.model.dispose()
    expect(world.kv.status().models[0]?.users).toBe(0)
  })

  test('a sequence that is disposed of waits for its captures, and its place is free again', async () => {
    await using world = await cachedWorld(tiny)
    const context = await world.cached({ sequences: 1 })
    for (let round = 0; round < 3; round++) {
      const sequence = context.getSequence()
      expect(await answer(sequence, PROMPT)).toEqual(cold)
      expect(cacheOf(sequence).lastReport?.cachedTokens).toBe(round === 0 ? 0 : 384)
      await sequence.dispose()
      expect(context.sequencesLeft).toBe(1)
    }
  })

  test('a cache that is closed first: the engine goes on without it', async () => {
    await using world = await cachedWorld(tiny)
    const context = await world.cached()
    const open = context.getSequence().evaluate(PROMPT)
    const tokens = [(await open.next()).value]
    await world.kv.close()
    while (tokens.length < 8) tokens.push((await open.next()).value)
    await open.return()
    expect(tokens).toEqual(cold)
    const sequence = context.getSequence()
    expect(await answer(sequence, PROMPT)).toEqual(cold)
    await sequence.dispose()
  })

  test('an answer that nobody reads to its end does not hold up others for ever', async () => {
    await using world = await cachedWorld(tiny)
    const context = await world.cached()
    const sequence = context.getSequence()
    await sequence.evaluate(words(50, 3)).next()
    expect(await answer(sequence, PROMPT)).not.toEqual([])
    await cacheOf(sequence).settled()
    expect(world.kv.status().counters.capturedBlocks).toBeGreaterThan(25)
  })

  test('an answer that nobody asks on for a minute lets the captures of others run, and may go on', async () => {
    await using world = await cachedWorld(tiny)
    const context = await world.cached()
    const [left, other] = [context.getSequence(), context.getSequence()]
    const open = left.evaluate(words(50, 3), { yieldEogToken: true })
    await open.next()
    await answer(other, PROMPT)
    expect(cacheOf(other).connector.status().captures.pending).toBe(1)
    world.clock.pass(60_000)
    await expect.poll(() => world.kv.status().counters.capturedBlocks).toBe(3 + 25)
    expect((await open.next()).done).toBe(false)
    await open.return()
    expect(await answer(left, words(3, 4))).toHaveLength(8)
  })

  test('aborted while it restores, a request rejects with the reason; the sequence is empty and can be used', async () => {
    await using world = await cachedWorld(tiny)
    const context = await world.cached()
    await fill(context, PROMPT)
    const sequence = context.getSequence()
    const abort = new AbortController()
    const reason = new Error('nobody waits any more')
    const load = sequence.loadStateFromFile.bind(sequence)
    sequence.loadStateFromFile = async (path, risk) => {
      await load(path, risk)
      abort.abort(reason)
    }
    cacheOf(sequence).settings = { signal: abort.signal }
    await expect(answer(sequence, PROMPT)).rejects.toBe(reason)
    expect(sequence.nextTokenIndex).toBe(0)
    cacheOf(sequence).settings = {}
    expect(await answer(sequence, PROMPT)).toEqual(cold)
    expect(cacheOf(sequence).lastReport?.cachedTokens).toBe(384)
  })

  test(`a process killed ${KILLS} times in the middle of captures leaves blocks that are right, or none`, async () => {
    await using directory = await temporaryDirectory()
    const program = await bundleProgram(new URL('./support/doomed-process.ts', import.meta.url), directory.path)
    const dir = `${directory.path}/kv`
    for (let life = 1; life <= KILLS; life++) {
      await using child = new ChildProgram(program, { modelPath: tiny.modelPath, dir, prompts: 50 })
      for (let line = 0; line < 2 + life * 5; line++) expect(await child.line()).toBe('capturing')
      await child.kill()
    }
    await using world = await cachedWorld(tiny, { dir })
    const [context, plain] = [await world.cached(), await world.plain()]
    let cachedTokens = 0
    for (let seed = 1; seed <= 10; seed++) {
      const [sequence, control] = [context.getSequence(), plain.getSequence()]
      const restored = await answer(sequence, words(400, seed))
      const { cachedTokens: cached } = cacheOf(sequence).lastReport!
      if (cached > 0) await control.evaluateWithoutGeneratingNewTokens(words(400, seed).slice(0, cached))
      expect(restored).toEqual(await answer(control, words(400, seed).slice(cached)))
      cachedTokens += cached
      await sequence.dispose()
      await control.dispose()
    }
    expect(cachedTokens).toBeGreaterThan(384)
  })
})
