import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { ModelStore } from '../src/model-store.js'
import { ManualClock } from '../src/testing/index.js'
import {
  type Answer,
  ask,
  branch,
  cold,
  engineTime,
  openWorld,
  PAGE,
  prompt,
  TemporaryDirectory,
  type World,
} from './world.js'

describe.each(['file', 'memory'] as const)('many prompts through %s', (through) => {
  test('a prompt that branches off hits what is shared, and only its own blocks are new', async () => {
    await using world = await openWorld({ driver: { through } })
    await ask(world, prompt(640 + 50))
    const other = branch(prompt(690), 640, 50, 7)
    const { report, logits } = await ask(world, other)
    expect(report).toMatchObject({ cachedTokens: 640, capture: { storedBlocks: 3 } })
    expect(logits).toBe(await cold(world.engine, other))
  })

  test('an answer is captured, so that the chat goes on from it', async () => {
    await using world = await openWorld({ driver: { through } })
    const chat = prompt(200)
    await ask(world, chat.subarray(0, 100), { answer: chat.subarray(100, 150) })
    const { report } = await ask(world, chat)
    expect(report.cachedTokens).toBe(144)
  })

  test('answers are left out where that was asked for', async () => {
    await using world = await openWorld({ driver: { through } })
    const connector = world.kv.connect(world.driver, { generated: false })
    const chat = prompt(200)
    await ask({ connector, engine: world.engine }, chat.subarray(0, 100), { answer: chat.subarray(100, 150) })
    expect((await ask({ connector, engine: world.engine }, chat)).report.cachedTokens).toBe(96)
  })

  test('several slots of one context at the same time give what each gives alone', async () => {
    await using world = await openWorld({ driver: { through } })
    await ask(world, prompt(300))
    const prompts = [1, 2, 3, 4].map((seed) => branch(prompt(300), 200, 60, seed))
    const answers = await Promise.all(prompts.map((tokens) => ask(world, tokens)))
    for (const [index, { loaded, logits }] of answers.entries()) {
      expect(loaded.tokens).toBe(192)
      expect(logits).toBe(await cold(world.engine, prompts[index]!))
    }
  })

  test('a prompt longer than host memory is stored as far as there is room, and comes from disk', async () => {
    using directory = new TemporaryDirectory()
    const cache = { dir: directory.path, disk: '64MiB', host: 2 * 20 * 4096 }
    await using world = await openWorld({ driver: { through }, cache })
    const tokens = prompt(40 * PAGE + 1)
    let last: Answer | undefined
    for (let time = 0; time < 4; time++) last = await settled(world, tokens)
    expect(last?.report.cachedTokens).toBe(40 * PAGE)
    expect(last?.report.byTier.disk).toBeGreaterThan(0)
    expect(last?.logits).toBe(await cold(world.engine, tokens))
  })

  test('the head of a prompt is not what makes room for its tail', async () => {
    await using world = await openWorld({ driver: { through }, cache: { host: 2 * 10 * 4096 } })
    const long = prompt(10 * PAGE + 1)
    await ask(world, long.subarray(0, 4 * PAGE))
    await ask(world, prompt(6 * PAGE, 5))
    const slot = world.engine.slot()
    await world.engine.evaluate(slot, long)
    const session = world.connector.open(long)
    session.capture({}, slot)
    await session.finish()
    expect(await session.captured()).toMatchObject({ storedBlocks: 6 })
    expect(world.connector.explain(long).cachedTokens).toBe(10 * PAGE)
  })

  test('random histories: always the result of a run without cache', async () => {
    using directory = new TemporaryDirectory()
    const cache = { dir: directory.path, disk: '8MiB', host: 2 * 24 * 4096 }
    await using world = await openWorld({ driver: { through }, cache })
    let state = 42
    const random = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return (state >>> 8) % below
    }
    for (let step = 0; step < 60; step++) {
      const tokens = branch(prompt(400, random(3) + 1), random(400), random(80) + 1, random(4) + 10)
      const { logits, evaluated, loaded } = await ask(world, tokens, { tenant: ['a', 'b'][random(2)] })
      expect(logits).toBe(await cold(world.engine, tokens))
      expect(evaluated).toBe(tokens.length - loaded.tokens)
    }
    expect(world.kv.status().counters.restores).toBeGreaterThan(5)
  })
})

describe('warming and promoting', () => {
  test('warm brings a prefix from disk into memory ahead', async () => {
    using directory = new TemporaryDirectory()
    const cache = { dir: directory.path, disk: '64MiB' }
    {
      await using world = await openWorld({ cache })
      await ask(world, prompt(100))
    }
    await using world = await openWorld({ cache })
    expect(await world.connector.warm(prompt(100))).toEqual({ tokens: 96, fromDisk: 96, persisted: 0 })
    expect((await ask(world, prompt(100))).report.byTier).toMatchObject({ host: 96, disk: 0 })
    expect(await world.connector.warm(prompt(100, 9))).toEqual({ tokens: 0, fromDisk: 0, persisted: 0 })
  })

  test('an aborted warming rejects with its reason and holds nothing', async () => {
    using directory = new TemporaryDirectory()
    await using world = await openWorld({ cache: { dir: directory.path, disk: '64MiB' } })
    await ask(world, prompt(100))
    const signal = AbortSignal.abort(new Error('never mind'))
    await expect(world.connector.warm(prompt(100), { signal })).rejects.toThrow('never mind')
    expect(world.kv.status().models[0]).toMatchObject({ users: 0 })
    await until(() => world.kv.status().models[0]?.manager?.tiers.host?.blocks.held === 0)
  })

  test('what a hit found on disk is in memory for the next one', async () => {
    using directory = new TemporaryDirectory()
    const cache = { dir: directory.path, disk: '64MiB' }
    {
      await using world = await openWorld({ cache })
      await ask(world, prompt(100))
    }
    await using world = await openWorld({ cache })
    expect((await ask(world, prompt(100))).report.byTier).toMatchObject({ disk: 96 })
    await promoted(world)
    expect((await ask(world, prompt(100))).report.byTier).toMatchObject({ host: 96, disk: 0 })
  })

  test('nothing goes up before the request has ended', async () => {
    using directory = new TemporaryDirectory()
    const cache = { dir: directory.path, disk: '64MiB' }
    {
      await using world = await openWorld({ cache })
      await ask(world, prompt(100))
    }
    await using world = await openWorld({ cache })
    await world.connector.ready()
    const session = world.connector.open(prompt(100))
    expect(await session.load(world.engine.slot())).toMatchObject({ byTier: { disk: 96 } })
    const raised = () => world.kv.status().models[0]?.manager?.edges['disk-host']?.transfers ?? 0
    const before = raised()
    for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate)
    expect(raised()).toBe(before)
    await session.finish()
    await promoted(world)
    expect(raised()).toBeGreaterThan(before)
  })

  test('a cache that closes begins no promotion', async () => {
    using directory = new TemporaryDirectory()
    const cache = { dir: directory.path, disk: '64MiB' }
    {
      await using world = await openWorld({ cache })
      await ask(world, prompt(100))
    }
    const world = await openWorld({ cache })
    await world.connector.ready()
    const session = world.connector.open(prompt(100))
    await session.load(world.engine.slot())
    const promote = vi.spyOn(ModelStore.prototype, 'promote')
    onTestFinished(() => promote.mockRestore())
    await world.kv.close()
    expect((await session.finish()).byTier).toMatchObject({ disk: 96 })
    expect(promote).not.toHaveBeenCalled()
  })

  test('what was loaded names its tiers in the order of the prompt', async () => {
    using directory = new TemporaryDirectory()
    const cache = { dir: directory.path, disk: '64MiB' }
    {
      await using world = await openWorld({ cache })
      await ask(world, prompt(100))
    }
    await using world = await openWorld({ cache })
    await ask(world, prompt(40))
    await promoted(world)
    const { loaded } = await ask(world, prompt(100))
    expect(loaded.spans).toEqual([
      { tier: 'host', tokens: 32 },
      { tier: 'disk', tokens: 64 },
    ])
  })
})

describe('never in the way', () => {
  test('finish does not wait for the capture, and the next request waits only for the save', async () => {
    await using world = await openWorld()
    const { connector, engine } = world
    await connector.ready()
    engine.saveGate.close()
    const slot = engine.slot()
    await engine.evaluate(slot, prompt(100))
    const session = connector.open(prompt(100))
    session.capture({}, slot)
    expect(await session.finish()).toMatchObject({ capture: { state: 'queued' } })
    await engine.saveGate.reached()
    const next = engine.evaluate(engine.slot(), prompt(16))
    engine.saveGate.open()
    await next
    expect(await session.captured()).toMatchObject({ state: 'stored', storedBlocks: 6 })
  })

  test('a request without cache holds captures back too, until it ends or the connector closes', async () => {
    await using world = await openWorld()
    const { connector, engine } = world
    await connector.ready()
    const leave = connector.enter()
    const slot = engine.slot()
    await engine.evaluate(slot, prompt(100))
    const session = connector.open(prompt(100))
    session.prefilled({ tokens: 100, ms: 100 })
    session.capture({ early: true }, slot)
    expect(await session.captured()).toMatchObject({ state: 'skipped', reason: 'requests-decoding' })
    session.capture({}, slot)
    expect(await session.finish()).toMatchObject({ capture: { state: 'queued' } })
    expect(engine.saves).toBe(0)
    leave()
    expect(await session.captured()).toMatchObject({ state: 'stored', storedBlocks: 6 })
    connector.enter()
    await connector.close()
  })

  test('who waits for captures waits for open requests; its signal ends that', async () => {
    await using world = await openWorld()
    const { connector, engine } = world
    const { slot } = await ask(world, prompt(100))
    const open = connector.open(prompt(10))
    const session = connector.open(prompt(200))
    await engine.evaluate(slot, prompt(200).subarray(100))
    session.capture({ tokens: slot.tokens }, slot)
    await session.finish()
    const order: string[] = []
    const settled = connector.settled().then(() => order.push('settled'))
    const leaving = new AbortController()
    const left = session.captured({ signal: leaving.signal })
    leaving.abort(new Error('gone'))
    await expect(left).rejects.toThrow('gone')
    order.push('ended')
    expect(engine.saves).toBe(1)
    await open.finish()
    await settled
    expect([order, engine.saves]).toEqual([['ended', 'settled'], 2])
  })

  test('little that is new is taken along when it has become more, unless all is wanted', async () => {
    await using world = await openWorld()
    await ask(world, prompt(1000))
    const captures = []
    for (let turn = 1; turn <= 5; turn++) captures.push((await ask(world, prompt(1000 + 17 * turn))).report.capture)
    expect(captures.map(({ reason }) => reason)).toEqual([...Array(4).fill('too-few-new'), undefined])
    expect(captures[4]).toMatchObject({ state: 'stored', storedBlocks: 5 })
    const all = await ask(world, prompt(1102), { capture: { complete: true } })
    expect(all.report).toMatchObject({ cachedTokens: 1072, capture: { storedBlocks: 1 } })
    expect(world.engine.saves).toBe(3)
  })

  test('an engine that saves just what is asked for captures every block at once', async () => {
    await using world = await openWorld({ driver: { through: 'memory' } })
    await ask(world, prompt(1000))
    expect((await ask(world, prompt(1017))).report.capture).toMatchObject({ state: 'stored', storedBlocks: 1 })
  })

  test('while a request is open in the context nothing is saved', async () => {
    await using world = await openWorld()
    const { connector, engine } = world
    await connector.ready()
    const slot = engine.slot()
    await engine.evaluate(slot, prompt(100))
    const [first, second] = [connector.open(prompt(100)), connector.open(prompt(50))]
    first.capture({}, slot)
    await first.finish()
    expect(engine.saves).toBe(0)
    await second.finish()
    await first.captured()
    expect(engine.saves).toBe(1)
  })

  test('an early capture has the prompt in the cache while its answer is still decoded', async () => {
    await using world = await openWorld()
    const { connector, engine } = world
    await connector.ready()
    const slot = engine.slot()
    const session = connector.open(prompt(100))
    await engine.evaluate(slot, prompt(100))
    session.prefilled({ tokens: 100, ms: 1 })
    session.capture({ early: true }, slot)
    await session.captured()
    expect(connector.explain(prompt(100)).cachedTokens).toBe(96)
    await engine.evaluate(slot, prompt(30, 3))
    session.capture({ tokens: slot.tokens }, slot)
    await session.finish()
    expect(await session.captured()).toMatchObject({ storedBlocks: 8 })
  })

  test('a slot that went to another prompt before its capture ran is skipped', async () => {
    await using world = await openWorld()
    const { connector, engine } = world
    await connector.ready()
    const slot = engine.slot()
    await engine.evaluate(slot, prompt(100))
    const [first, second] = [connector.open(prompt(100)), connector.open(prompt(50))]
    first.capture({}, slot)
    await first.finish()
    slot.truncate(0)
    await engine.evaluate(slot, prompt(100, 2))
    await second.finish()
    expect(await first.captured()).toMatchObject({ state: 'skipped', reason: 'slot-moved' })
    expect(world.kv.status().counters.skips).toEqual({ 'slot-moved': 1 })
  })

  test('a capture that would hold the engine for longer than maxStallMs waits for idle time', async () => {
    const clock = new ManualClock()
    const engine = {
      clock,
      working: (kind: string, tokens: number) => kind === 'save' && clock.advance(tokens),
      rowBytes: 1024,
    }
    await using world = await openWorld({ engine: engine as never, cache: { clock, host: '32MiB', maxStallMs: 50 } })
    await ask(world, prompt(100))
    expect(world.connector.status().captures.msPerMb).toBeGreaterThan(100)
    const slot = world.engine.slot()
    await world.engine.evaluate(slot, prompt(200, 2))
    const session = world.connector.open(prompt(200, 2))
    session.prefilled({ tokens: 200, ms: 1 })
    session.capture({ early: true }, slot)
    expect(world.kv.status().counters.skips).toEqual({ 'stall-too-long': 1 })
    session.capture({}, slot)
    await session.finish()
    expect(world.connector.status().captures).toMatchObject({ pending: 1, postponed: 1, running: false })
    clock.advance(10_000)
    expect(await session.captured()).toMatchObject({ state: 'stored', storedBlocks: 12 })
  })

  test('prefill so fast that loading never pays: it learns that, and the median is within 2 percent', async () => {
    const cost = { evaluate: 0.001, save: 0.01, load: 0.1 }
    const time = engineTime(cost)
    await using world = await openWorld({ engine: time, cache: { clock: time.clock } })
    const times: number[] = []
    for (let request = 0; request < 101; request++) times.push(await firstTokenMs(world, prompt(1000)))
    expect(median(times)).toBeLessThanOrEqual(1.02 * cost.evaluate * 1000)
    expect(world.kv.status().counters.decisions).toMatchObject({ 'not-measured': 1, slower: 98, probe: 1 })
  })

  test('and when prefill becomes slow again, it finds out', async () => {
    const cost = { evaluate: 0.001, save: 0.01, load: 0.1 }
    const time = engineTime(cost)
    await using world = await openWorld({ engine: time, cache: { clock: time.clock } })
    for (let request = 0; request < 5; request++) await firstTokenMs(world, prompt(1000))
    expect(world.kv.status().counters.restores).toBe(1)
    cost.evaluate = 2
    for (let request = 0; request < 5; request++) await firstTokenMs(world, prompt(1000))
    expect(world.kv.status().counters.restores).toBe(5)
  })
})

/** What a request takes up to its first token, as an adapter does it. */
async function firstTokenMs({ connector, engine }: World, tokens: Uint32Array): Promise<number> {
  await connector.ready()
  const begun = engine.clock.now()
  const session = connector.open(tokens)
  const slot = engine.slot()
  const { tokens: resident } = await session.load(slot)
  const started = engine.clock.now()
  await engine.evaluate(slot, tokens.subarray(resident))
  session.prefilled({ tokens: tokens.length - resident, ms: engine.clock.now() - started })
  const ms = engine.clock.now() - begun
  session.capture({}, slot)
  await session.finish()
  await connector.settled()
  return ms
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

/** Asks, and waits until what was captured is on disk. */
async function settled(world: World, tokens: Uint32Array): Promise<Answer> {
  const answer = await ask(world, tokens)
  const edge = () => world.kv.status().models[0]?.manager?.edges['host-disk']
  await until(() => (edge()?.queued ?? 0) + (edge()?.running ?? 0) === 0)
  return answer
}

/** Resolves when the store is in use no more. */
async function promoted(world: World): Promise<void> {
  await until(() => world.kv.status().models[0]?.users === 0)
}

/** Turns of the event loop, until it is so; the test's own time limit ends what never is. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate)
}
