import { describe, expect, test } from 'vitest'
import { changedDate } from '../src/find-date.js'
import { openKvCache } from '../src/index.js'
import { PromptMemory } from '../src/prompt-memory.js'
import { MemoryDriver, MemoryEngine } from '../src/testing/index.js'
import { ask, branch, openWorld, prompt } from './world.js'

/** Tokens that are characters. */
const encode = (text: string) => Uint32Array.from(text, (character) => character.codePointAt(0)!)
const detokenize = (tokens: Uint32Array) => String.fromCodePoint(...tokens)

describe('why there was no hit', () => {
  test('a hit says so', async () => {
    await using world = await openWorld()
    await ask(world, prompt(100))
    expect(world.connector.explain(prompt(100))).toMatchObject({ reason: 'hit', cachedTokens: 96, promptTokens: 100 })
  })

  test('too short, not open, never seen', async () => {
    await using world = await openWorld()
    expect(world.connector.explain(prompt(100)).reason).toBe('off')
    await world.connector.ready()
    expect(world.connector.explain(prompt(16)).reason).toBe('too-short')
    expect(world.connector.explain(prompt(100)).reason).toBe('never-seen')
  })

  test('the first token that differs, and its block', async () => {
    await using world = await openWorld()
    await ask(world, prompt(200))
    const { reason, firstDifference, cachedTokens } = world.connector.explain(branch(prompt(200), 70, 100, 5))
    expect({ reason, cachedTokens }).toEqual({ reason: 'differs', cachedTokens: 64 })
    expect(firstDifference).toMatchObject({ token: 70, block: 4 })
  })

  test("a template that inserts today's date is named, with the date", async () => {
    await using kv = await openKvCache({ host: '8MiB' })
    const engine = new MemoryEngine()
    const connector = kv.connect(new MemoryDriver(engine, { through: 'file' }), { detokenize })
    const text = (day: string) =>
      `You are a helpful assistant. Today Date: ${day}. Answer shortly, and be kind to people.`
    await ask({ connector, engine }, encode(text('23 Nov 2026')))
    const today = connector.explain(encode(text('24 Nov 2026')))
    expect(today).toMatchObject({ reason: 'date', firstDifference: { here: expect.stringContaining('24 Nov 2026') } })
    expect(today.message).toMatch(/24 Nov 2026.*Fix the date/)
    expect(connector.explain(encode(text('23 Nov 2026').replace('kind', 'rude'))).reason).toBe('differs')
  })

  test('evicted blocks are told from those that never were stored', async () => {
    await using world = await openWorld({ cache: { host: 160 * 1024 } })
    await ask(world, prompt(256))
    expect(world.connector.explain(prompt(256)).reason).toBe('hit')
    for (const seed of [2, 3]) await ask(world, prompt(256, seed))
    expect(world.connector.explain(prompt(256)).reason).toBe('evicted')
    await world.connector.open(prompt(100, 8)).finish()
    expect(world.connector.explain(prompt(100, 8)).reason).toBe('not-stored')
  })

  test('a prompt known under another tenant or adapter: a foreign salt, and no more is said', async () => {
    await using world = await openWorld()
    await ask(world, prompt(100), { tenant: 'acme-secret' })
    const explained = world.connector.explain(prompt(100), { tenant: 'other' })
    expect(explained).toMatchObject({ reason: 'foreign-salt', cachedTokens: 0 })
    expect(JSON.stringify(explained)).not.toContain('acme')
    expect(explained.firstDifference).toBeUndefined()
    const own = world.connector.explain(prompt(100), { tenant: 'other', ownOnly: true })
    expect(own.reason).toBe('never-seen')
  })

  test('it changes nothing: no pins, no new prompts', async () => {
    await using world = await openWorld()
    await ask(world, prompt(100))
    for (let time = 0; time < 3; time++) world.connector.explain(prompt(100))
    expect(world.connector.explain(prompt(100, 4)).reason).toBe('never-seen')
    expect(world.connector.explain(prompt(100, 4)).reason).toBe('never-seen')
    expect(world.kv.status().models[0]?.manager?.tiers.host?.blocks.held).toBe(0)
  })
})

describe('the memory of prompts', () => {
  test('is bounded by prompts of a salt and by tokens of all', () => {
    const memory = new PromptMemory({ promptsMax: 2, tokensMax: 100 })
    for (const seed of [1, 2, 3]) memory.remember('a', prompt(10, seed))
    expect(memory.nearest('a', prompt(10, 1))).toBeUndefined()
    expect(memory.nearest('a', prompt(10, 2))?.sharedTokens).toBe(10)
    memory.remember('b', prompt(90, 4))
    expect(memory.nearest('a', prompt(10, 2))).toBeUndefined()
    expect(memory.nearest('a', prompt(10, 3))?.sharedTokens).toBe(10)
    memory.remember('b', prompt(500, 5))
    expect(memory.nearest('b', prompt(500, 5))?.sharedTokens).toBe(100)
  })

  test('a chat that goes on takes the place of its beginning', () => {
    const memory = new PromptMemory({ promptsMax: 2 })
    memory.remember('a', prompt(10, 9))
    for (const length of [10, 20, 30]) memory.remember('a', prompt(length))
    expect(memory.nearest('a', prompt(10, 9))?.sharedTokens).toBe(10)
    expect(memory.nearest('a', prompt(40))?.sharedTokens).toBe(30)
  })
})

describe('dates in texts', () => {
  test.each([
    ['Today is 2026-11-24.', '2026-11-24'],
    ['Today Date: 24 Nov 2026\n', '24 Nov 2026'],
    ['on November 24th, 2026 at noon', 'November 24th, 2026'],
    ['11/24/2026 at last', '11/24/2026'],
    ['1999-01-01 and 24.11.2026', '24.11.2026'],
    ['version 1.2.3, year 2026, 12 monkeys', undefined],
    ['id a2026-11-24b', undefined],
  ])('%j', (text, date) => expect(changedDate(text, '1999-01-01 1999-01-01')).toBe(date))

  test('a date changed only where both have one and they differ', () => {
    expect(changedDate('it is 2026-11-24', 'it is 2026-11-23')).toBe('2026-11-24')
    expect(changedDate('it is 2026-11-24', 'it is 2026-11-24')).toBeUndefined()
    expect(changedDate('it is 2026-11-24', 'it is late')).toBeUndefined()
  })
})
