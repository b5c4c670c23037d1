import { describe, expect, test } from 'vitest'
import { MemoryDriver } from '../src/testing/index.js'
import { ask, cold, openWorld, PAGE, prompt, RecordingLogger } from './world.js'

describe('every call is valid in every state', () => {
  test('nothing was asked before finish: the report says so', async () => {
    await using world = await openWorld()
    const report = await world.connector.open(prompt(50)).finish()
    expect(report).toMatchObject({
      promptTokens: 50,
      cachedTokens: 0,
      decision: 'recompute',
      reason: 'not-looked-up',
      capture: { state: 'none' },
    })
  })

  test('after finish: nothing is found, loaded or captured, and nothing throws', async () => {
    await using world = await openWorld()
    const tokens = prompt(100)
    await ask(world, tokens)
    const session = world.connector.open(tokens)
    const report = await session.finish()
    const slot = world.engine.slot()
    expect(session.lookup()).toMatchObject({ cachedTokens: 0, decision: 'recompute', reason: 'not-looked-up' })
    expect(await session.load(slot)).toMatchObject({ tokens: 0 })
    session.prefilled({ tokens: 1, ms: 1 })
    session.contextShifted()
    session.capture({}, slot)
    expect(await session.captured()).toMatchObject({ state: 'none' })
    expect(await session.finish()).toBe(report)
    expect(slot.length).toBe(0)
  })

  test('lookup and load twice are the same answer, and the engine loads once', async () => {
    await using world = await openWorld()
    const tokens = prompt(100)
    await ask(world, tokens)
    const session = world.connector.open(tokens)
    expect(session.lookup()).toBe(session.lookup())
    const slot = world.engine.slot()
    const [first, second] = await Promise.all([session.load(slot), session.load(slot)])
    expect(second).toBe(first)
    expect(slot.length).toBe(96)
    expect(world.kv.status().counters.restores).toBe(1)
    await session.finish()
  })

  test('before the cache is open lookup finds nothing, and load waits for it', async () => {
    await using world = await openWorld()
    const session = world.connector.open(prompt(100))
    expect(session.lookup()).toMatchObject({ cachedTokens: 0, reason: 'not-ready' })
    expect(await session.load(world.engine.slot())).toMatchObject({ tokens: 0 })
    expect(session.lookup().reason).toBe('nothing-cached')
    await session.finish()
  })

  test('after the cache was closed sessions go on without it', async () => {
    const world = await openWorld()
    const tokens = prompt(100)
    await ask(world, tokens)
    const before = world.connector.open(tokens)
    before.lookup()
    await world.kv.close()
    const slot = world.engine.slot()
    expect(await before.load(slot)).toMatchObject({ tokens: 0 })
    before.capture({}, slot)
    await before.finish()
    const after = await ask(world, tokens)
    expect(after.report).toMatchObject({ cachedTokens: 0, capture: { state: 'skipped', reason: 'closed' } })
    expect(after.logits).toBe(await cold(world.engine, tokens))
    expect(await world.connector.ready()).toBe(false)
    expect(await world.connector.warm(tokens)).toMatchObject({ tokens: 0 })
    expect(world.connector.explain(tokens).reason).toBe('off')
  })

  test('a new connection to a closed cache is refused', async () => {
    const world = await openWorld()
    await world.kv.close()
    expect(() => world.kv.connect(world.driver)).toThrow(/closed/)
  })

  test('an engine that cannot be cached runs without, and the report names why', async () => {
    await using world = await openWorld()
    const tokens = prompt(100)
    await ask(world, tokens)
    world.engine.faults.support = { ok: false, reason: 'sliding-window', detail: 'past cells are dropped' }
    const { report, evaluated } = await ask(world, tokens)
    expect(report).toMatchObject({ cachedTokens: 0, reason: 'declined', declined: 'sliding-window' })
    expect(evaluated).toBe(100)
    expect(world.kv.status().counters.declines).toEqual({ 'sliding-window': 1 })
    expect(world.connector.explain(tokens)).toMatchObject({ reason: 'declined', declined: 'sliding-window' })
  })

  test('a context shift ends the captures of that sequence', async () => {
    await using world = await openWorld()
    await world.connector.ready()
    const tokens = prompt(100)
    const slot = world.engine.slot()
    await world.engine.evaluate(slot, tokens)
    const session = world.connector.open(tokens)
    session.contextShifted()
    session.capture({}, slot)
    expect(await session.finish()).toMatchObject({ declined: 'context-shift', capture: { reason: 'context-shift' } })
    expect(world.engine.saves).toBe(0)
  })

  test('an empty prompt and one shorter than a block do no harm', async () => {
    await using world = await openWorld()
    for (const count of [0, 1, PAGE - 1, PAGE]) {
      const { report } = await ask(world, prompt(count))
      expect(report.cachedTokens).toBe(0)
      expect((await ask(world, prompt(count))).report.cachedTokens).toBe(0)
    }
  })

  test('a prompt of two blocks and a token is the shortest that is loaded', async () => {
    await using world = await openWorld()
    await ask(world, prompt(3 * PAGE))
    expect((await ask(world, prompt(PAGE + 1))).report.reason).toBe('too-short')
    expect((await ask(world, prompt(2 * PAGE + 1))).report.cachedTokens).toBe(2 * PAGE)
  })

  test('a tenant that is no string is refused everywhere, and nothing stays behind', async () => {
    await using world = await openWorld()
    const { connector } = world
    await ask(world, prompt(100))
    const tenant = 7 as unknown as string
    for (const use of [() => connector.open(prompt(100), { tenant }), () => connector.explain(prompt(100), { tenant })])
      expect(use).toThrow(/^tenant: expected a string, got number/)
    await expect(connector.warm(prompt(100), { tenant })).rejects.toThrow(TypeError)
    expect(world.kv.status().models[0]?.users).toBe(0)
    expect((await ask(world, prompt(100))).report.cachedTokens).toBe(96)
  })

  test('adapters that are no strings are refused when the engine is connected', async () => {
    await using world = await openWorld()
    const driver = new MemoryDriver(world.engine, { through: 'file', loras: 'style.gguf' as never })
    expect(() => world.kv.connect(driver)).toThrow(/loras: expected an array of strings/)
  })

  test('what a restore saved counts only what the slot did not hold already', async () => {
    await using world = await openWorld()
    for (let time = 0; time < 3; time++) await ask(world, prompt(400))
    const session = world.connector.open(prompt(400))
    session.lookup({ residentTokens: 100 })
    const whole = world.connector.open(prompt(400))
    const [partly, fully] = [await session.load(world.engine.slot()), await whole.load(world.engine.slot())]
    expect(partly.tokens).toBe(fully.tokens)
    expect(partly.savedMs).toBeLessThan(fully.savedMs)
    expect(await session.finish()).toMatchObject({ savedMs: partly.savedMs })
    await whole.finish()
  })

  test('tokens that the caller changes afterwards change nothing', async () => {
    await using world = await openWorld()
    await world.connector.ready()
    const tokens = prompt(100)
    const slot = world.engine.slot()
    await world.engine.evaluate(slot, tokens)
    const session = world.connector.open(tokens)
    session.capture({}, slot)
    tokens.fill(7)
    await session.finish()
    expect(await session.captured()).toMatchObject({ state: 'stored', storedBlocks: 6 })
    expect((await ask(world, prompt(100))).report.cachedTokens).toBe(96)
  })

  test('what the slot holds already is not loaded again', async () => {
    await using world = await openWorld()
    await ask(world, prompt(100))
    const session = world.connector.open(prompt(100))
    expect(session.lookup({ residentTokens: 96 })).toMatchObject({
      cachedTokens: 96,
      decision: 'recompute',
      reason: 'resident',
    })
    await session.finish()
  })
})

describe('a lease', () => {
  test('is held from lookup to finish and not after it', async () => {
    await using world = await openWorld()
    await ask(world, prompt(100))
    const held = () => world.kv.status().models[0]?.manager?.tiers.host?.blocks.held
    const session = world.connector.open(prompt(100))
    session.lookup()
    expect(held()).toBe(6)
    await session.finish()
    expect(held()).toBe(0)
  })

  test('is let go when the signal of the session aborts', async () => {
    await using world = await openWorld()
    await ask(world, prompt(100))
    const abort = new AbortController()
    const session = world.connector.open(prompt(100), { signal: abort.signal })
    session.lookup()
    abort.abort()
    await session.finish()
    expect(world.kv.status().models[0]).toMatchObject({ users: 0 })
    expect(world.kv.status().models[0]?.manager?.tiers.host?.blocks.held).toBe(0)
  })
})

describe('what fails is a miss', () => {
  test('an engine whose load throws: the prompt is computed, one warning', async () => {
    const logger = new RecordingLogger()
    await using world = await openWorld({ cache: { logger } })
    const tokens = prompt(100)
    await ask(world, tokens)
    world.engine.faults.loadFails = new Error('the engine has a cold')
    const { report, logits } = await ask(world, tokens)
    expect(report.cachedTokens).toBe(0)
    expect(logits).toBe(await cold(world.engine, tokens))
    expect(logger.warnings).toEqual([expect.stringContaining('the engine has a cold')])
    expect(world.kv.status().counters.restoresFailed).toBe(1)
  })

  test('an engine whose load keeps throwing is left alone after three times', async () => {
    await using world = await openWorld()
    const tokens = prompt(100)
    await ask(world, tokens)
    world.engine.faults.loadFails = new Error('again')
    for (let time = 0; time < 3; time++) await ask(world, tokens)
    expect((await ask(world, tokens)).report.reason).toBe('failing')
  })

  test('an engine that takes in something else than it was given leaves the slot empty', async () => {
    await using world = await openWorld()
    const tokens = prompt(100)
    await ask(world, tokens)
    world.engine.faults.damageLoaded = (state) => state.subarray(0, state.length - 1)
    const { loaded, logits } = await ask(world, tokens)
    expect(loaded.tokens).toBe(0)
    expect(logits).toBe(await cold(world.engine, tokens))
  })

  test('an engine whose save throws: nothing is stored, the next one is', async () => {
    const logger = new RecordingLogger()
    await using world = await openWorld({ cache: { logger } })
    world.engine.faults.saveFails = new Error('no paper')
    expect((await ask(world, prompt(100))).report.capture).toMatchObject({ state: 'skipped', reason: 'failed' })
    expect(logger.warnings).toEqual([expect.stringContaining('no paper')])
    delete world.engine.faults.saveFails
    expect((await ask(world, prompt(100))).report.capture).toMatchObject({ state: 'stored', storedBlocks: 6 })
  })

  test('a truncated or foreign save stores nothing', async () => {
    await using world = await openWorld()
    world.engine.faults.damageSaved = (state) => state.subarray(0, state.length - 3)
    expect((await ask(world, prompt(100))).report.capture).toMatchObject({ state: 'skipped', reason: 'slot-moved' })
    world.engine.faults.damageSaved = (state) => state.with(0, state[0]! ^ 1)
    expect((await ask(world, prompt(100))).report.capture).toMatchObject({ state: 'skipped', reason: 'slot-moved' })
    expect((await ask(world, prompt(100))).report.cachedTokens).toBe(0)
  })

  test('a hand-over larger than allowed is a miss', async () => {
    await using world = await openWorld({ cache: { handOver: 1000 } })
    expect((await ask(world, prompt(100))).report.capture).toMatchObject({ state: 'skipped', reason: 'failed' })
  })
})

describe('time and aborts', () => {
  test('an aborted load rejects with the reason; the slot is empty and the session goes on', async () => {
    await using world = await openWorld()
    const tokens = prompt(100)
    await ask(world, tokens)
    world.engine.loadGate.close()
    const session = world.connector.open(tokens)
    const abort = new AbortController()
    const slot = world.engine.slot()
    const loading = session.load(slot, { signal: abort.signal })
    await world.engine.loadGate.reached()
    abort.abort(new Error('changed my mind'))
    world.engine.loadGate.open()
    await expect(loading).rejects.toThrow('changed my mind')
    expect(slot.length).toBe(0)
    expect(await session.finish()).toMatchObject({ cachedTokens: 0 })
    expect(world.kv.status().models[0]?.manager?.tiers.host?.blocks.held).toBe(0)
  })

  test('a signal that aborted before is a rejection, and nothing is touched', async () => {
    await using world = await openWorld()
    await ask(world, prompt(100))
    const session = world.connector.open(prompt(100))
    await expect(
      session.load(world.engine.slot(), { signal: AbortSignal.abort(new Error('too late')) }),
    ).rejects.toThrow('too late')
    await session.finish()
  })

  test('a deadline that passes is a miss, not an error', async () => {
    const { ManualClock } = await import('../src/testing/index.js')
    const clock = new ManualClock()
    await using world = await openWorld({ cache: { clock } })
    const tokens = prompt(100)
    await ask(world, tokens)
    world.engine.loadGate.close()
    const session = world.connector.open(tokens)
    const slot = world.engine.slot()
    const loading = session.load(slot, { deadlineMs: 20 })
    await world.engine.loadGate.reached()
    clock.advance(21)
    world.engine.loadGate.open()
    expect(await loading).toMatchObject({ tokens: 0, ms: 21 })
    expect(slot.length).toBe(0)
    await session.finish()
  })
})
