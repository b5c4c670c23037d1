import { join } from 'node:path'
import type { GenerationEvent } from '@kvbm/connector'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { openKvCache, serveModel } from '../src/index.js'
import { writeRandomModel } from '../src/models/index.js'
import { chunksOf, type ServedOptions, ServedWorld } from './support/served-world.js'
import { type TemporaryDirectory, temporaryDirectory } from './support/temporary-directory.js'
import { isMissing, why } from './support/tiny-engine.js'
import { words } from './support/words.js'

let directory: TemporaryDirectory
let modelPath: string

beforeAll(async () => {
  directory = await temporaryDirectory()
  modelPath = join(directory.path, 'tiny.gguf')
  await writeRandomModel(modelPath, { shape: 'tiny' })
})

afterAll(() => directory[Symbol.asyncDispose]())

type Options = Omit<ServedOptions, 'model'> & { readonly model?: Partial<ServedOptions['model']> }

const open = (options: Options = {}): Promise<ServedWorld> =>
  ServedWorld.open({ ...options, model: { modelPath, ...options.model } })

const prompt = words(400)
const other = words(400, 2)

describe.skipIf(isMissing)(`a served model${why}`, () => {
  test('answers a prompt again from memory, with the very same text, and after a restart from disk', async () => {
    await using blocks = await temporaryDirectory()
    const cache = { dir: blocks.path }
    const question = { prompt, kv: { exact: true } }
    let cold: string
    {
      await using world = await open({ cache })
      const first = await world.ask(question)
      cold = first.text
      expect(first).toMatchObject({ promptTokens: 400, cachedTokens: 0, sources: ['computed'], completionTokens: 12 })
      await world.model.settled()
      const second = await world.ask(question)
      expect(second).toMatchObject({ text: cold, sources: ['host', 'computed'] })
      expect(second.cachedTokens).toBeGreaterThanOrEqual(320)
    }
    await using world = await open({ cache })
    const again = await world.ask(question)
    expect(again).toMatchObject({ text: cold, sources: ['disk', 'computed'] })
    expect(again.cachedTokens).toBeGreaterThanOrEqual(320)
  })

  test('goes on where a sequence stands already, for the same tenant', async () => {
    await using world = await open({ server: { apiKeys: ['key-number-one', 'key-number-two'] } })
    const as = (key: string) => ({ headers: { Authorization: `Bearer ${key}` } })
    const first = await world.ask({ prompt }, as('key-number-one'))
    expect(first).toMatchObject({ cachedTokens: 0, missReason: expect.stringMatching(/No prompt/) })
    const again = await world.ask({ prompt }, as('key-number-one'))
    expect(again).toMatchObject({ cachedTokens: 399, sources: ['device', 'computed'], missReason: '' })
    const stranger = await world.ask({ prompt }, as('key-number-two'))
    expect(stranger).toMatchObject({ cachedTokens: 0, missReason: expect.stringMatching(/No prompt/) })
  })

  test('brings a prompt back that its only sequence has lost', async () => {
    await using world = await open({ model: { slots: 1 } })
    await world.ask({ prompt })
    await world.model.settled()
    await world.ask({ prompt: other })
    expect(await world.ask({ prompt })).toMatchObject({ cachedTokens: 384, sources: ['host', 'computed'] })
  })

  test('without the cache it computes everything, and leaves nothing behind', async () => {
    await using world = await open()
    const without = await world.ask({ prompt, kv: { cache: false } })
    await world.model.settled()
    expect(await world.ask({ prompt, kv: { exact: true } })).toMatchObject({ cachedTokens: 0, text: without.text })
    await world.model.settled()
    expect(await world.ask({ prompt, kv: { cache: false } })).toMatchObject({ cachedTokens: 0, text: without.text })
  })

  test('answers four clients at once as it answers one after the other', async () => {
    await using world = await open({ model: { slots: 4, contextTokens: 512 } })
    const prompts = [3, 4, 5, 6, 7, 8].map((seed) => words(100, seed))
    const ask = (one: readonly number[]) => world.ask({ prompt: one, kv: { cache: false } })
    const alone: string[] = []
    for (const one of prompts) alone.push((await ask(one)).text)
    expect(new Set(alone).size).toBe(prompts.length)
    expect((await Promise.all(prompts.map(ask))).map(({ text }) => text)).toEqual(alone)
  })

  test('a client that disconnects ends its generation: the only sequence is free again', async () => {
    await using world = await open({ model: { slots: 1 }, server: { waitingMax: 0 } })
    const client = new AbortController()
    const body = { prompt: words(10), stream: true, max_tokens: 1000, temperature: 1, seed: 1 }
    const response = await world.post('/v1/completions', body, { signal: client.signal })
    const chunks = chunksOf(response)
    await chunks.next()
    await chunks.next()
    expect((await world.post('/v1/completions', { prompt })).status).toBe(429)
    client.abort()
    let status = 429
    while (status === 429) status = (await world.post('/v1/completions', { prompt, max_tokens: 1 })).status
    expect(status).toBe(200)
  })

  test('an abort ends the answer at the next token, and a prompt at its next batch', async () => {
    await using world = await open({ model: { batchTokens: 64, slots: 1 } })
    const answer = new AbortController()
    const events = await collect(world, { maxTokens: 500, signal: answer.signal }, ({ type }) => {
      if (type === 'text') answer.abort()
    })
    expect(events.at(-1)).toMatchObject({ type: 'end', finishReason: 'aborted' })
    expect((events.at(-1) as { completionTokens: number }).completionTokens).toBeLessThan(30)
    const early = AbortSignal.abort()
    expect(await collect(world, { maxTokens: 5, signal: early })).toEqual([
      { type: 'end', finishReason: 'aborted', completionTokens: 0 },
    ])
    const whole = await collect(world, { maxTokens: 5 })
    expect(whole.at(-1)).toMatchObject({ finishReason: 'length', completionTokens: 5 })
  })

  test('says where the tokens came from before it says anything else', async () => {
    await using world = await open()
    const chunks: Array<Record<string, unknown>> = []
    const response = await world.post('/v1/completions', { prompt, stream: true, temperature: 0, max_tokens: 12 })
    for await (const chunk of chunksOf(response)) chunks.push(chunk)
    expect(chunks[0]).toMatchObject({ kv: { promptTokens: 400, spans: [{ source: 'computed', tokens: 400 }] } })
    const text = chunks.map(({ choices }) => (choices as [{ text: string }])[0].text).join('')
    expect(text).toBe((await world.ask({ prompt, kv: { cache: false } })).text)
  })

  test('what was computed beside others is not kept as exact', async () => {
    await using world = await open({ model: { batchTokens: 64 } })
    const exact = { prompt, kv: { exact: true } }
    const tokens = [prompt, other].map((one) => Uint32Array.from(one))
    const beside = tokens.map((one) => world.model.generate({ tokens: one, maxTokens: 1, temperature: 0, exact: true }))
    await Promise.all(beside.map(drain))
    await world.model.settled()
    const alone = await world.ask(exact)
    expect(alone.cachedTokens).toBe(0)
    await world.model.settled()
    expect(await world.ask(exact)).toMatchObject({ text: alone.text, sources: ['host', 'computed'] })
  })

  test.each([false, true])('captures nothing while another request decodes (cached: %s)', async (cache) => {
    await using world = await open({ model: { slots: 3 } })
    const { counters, model } = { counters: () => world.kv.status().counters, model: world.model }
    const decoding = model.generate({ tokens: Uint32Array.from(other), maxTokens: 500, temperature: 0, cache })
    await decoding.next()
    // Alone it may capture its own prompt at once.
    while (cache && counters().captures === 0) await new Promise(setImmediate)
    const before = counters().captures
    const warmed = Uint32Array.from(words(300, 3))
    const warming = model.warm(warmed)
    await drain(model.generate({ tokens: Uint32Array.from(prompt), maxTokens: 3, temperature: 0 }))
    for (let event = 0; event < 100; event++) await decoding.next()
    expect(counters().captures).toBe(before)
    expect(counters().skips['requests-decoding'] ?? 0).toBeGreaterThan(0)
    await decoding.return()
    expect(await warming).toMatchObject({ captured: true, reason: '' })
    expect(model.explain(warmed)).toMatchObject({ reason: 'hit', cachedTokens: 288 })
  })

  test('requests that wait at the server count as waiting: nothing is captured before the last one runs', async () => {
    await using world = await open({ model: { slots: 1 } })
    const { model, kv } = world
    const counters = () => kv.status().counters
    const first = model.generate({ tokens: Uint32Array.from(prompt), maxTokens: 500, temperature: 0 })
    await first.next()
    const capturesAtPrompt: number[] = []
    const generate = model.generate.bind(model)
    vi.spyOn(model, 'generate').mockImplementation(async function* (request) {
      for await (const event of generate(request)) {
        if (event.type === 'prompt') capturesAtPrompt.push(counters().captures)
        yield event
      }
    })
    const replies = [3, 4, 5, 6, 7].map((seed) => world.ask({ prompt: words(100, seed) }))
    while (counters().requests < 6) await new Promise(setImmediate)
    await first.return()
    for (const { waitMs } of await Promise.all(replies)) expect(waitMs).toBeGreaterThan(0)
    expect(capturesAtPrompt).toEqual([0, 0, 0, 0, 0])
    await model.settled()
    expect(counters().captures).toBeGreaterThan(0)
  })

  test('warming says when no pause came to capture in; the next pause has it', async () => {
    await using world = await open()
    const decoding = world.model.generate({ tokens: Uint32Array.from(other), maxTokens: 500, temperature: 0 })
    await decoding.next()
    const tokens = Uint32Array.from(prompt)
    expect(await world.model.warm(tokens, { captureMs: 1 })).toMatchObject({ captured: false, reason: 'pending' })
    await decoding.return()
    await world.model.settled()
    expect(await world.model.warm(tokens)).toMatchObject({ captured: true, reason: '', cachedTokens: 399 })
  })

  test('warming waits for no idle time, however long a capture stalls the engine', async () => {
    const clock = { now: () => performance.now(), after: () => () => {} }
    await using world = await open({ cache: { clock, maxStallMs: 0 } })
    const tokens = Uint32Array.from(prompt)
    expect(await world.model.warm(tokens, { captureMs: 4000 })).toMatchObject({ captured: true, cachedTokens: 0 })
  })

  test('warming stops waiting when its signal says so', async () => {
    await using world = await open()
    const decoding = world.model.generate({ tokens: Uint32Array.from(other), maxTokens: 500, temperature: 0 })
    await decoding.next()
    const leaving = new AbortController()
    const warming = world.model.warm(Uint32Array.from(prompt), { signal: leaving.signal })
    leaving.abort(new Error('gone'))
    await expect(warming).rejects.toThrow('gone')
    await decoding.return()
  })

  test('never moves tokens: an answer ends where the context does, a prompt that fills it is refused', async () => {
    await using world = await open({ model: { contextTokens: 512, slots: 1 } })
    const { contextTokens } = world.model
    const tokens = Uint32Array.from(words(contextTokens - 20))
    const events: GenerationEvent[] = []
    for await (const event of world.model.generate({ tokens, maxTokens: 400, temperature: 1, seed: 5 }))
      events.push(event)
    expect(events.at(-1)).toMatchObject({ finishReason: 'length', completionTokens: 20 })
    await expect(world.model.warm(Uint32Array.from(words(contextTokens)))).rejects.toThrow(RangeError)
  })

  test('thirty-two clients, half of which leave in the middle, leave nothing held and nobody stuck', async () => {
    await using world = await open({ model: { slots: 3 }, server: { waitingMax: 32 } })
    const { text } = await world.ask({ prompt, kv: { exact: true } })
    await Promise.all(Array.from({ length: 32 }, (_, client) => visit(world, client)))
    await world.model.settled()
    expect(world.kv.status().models[0]).toMatchObject({ state: 'open', users: 0 })
    expect((await world.ask({ prompt, kv: { exact: true } })).text).toBe(text)
  })

  test('with a file alone it starts an engine of its own, with defaults that serve', async () => {
    await using kv = await openKvCache({ host: '32MiB' })
    await using model = await serveModel({ modelPath, kv })
    expect(model).toMatchObject({ id: 'tiny', notice: '', slots: 4, contextTokens: 4096, vocabularySize: 512 })
    const events: GenerationEvent[] = []
    for await (const event of model.generate({ tokens: model.tokenize('hello'), maxTokens: 3, temperature: 0 }))
      events.push(event)
    expect(events.at(-1)).toMatchObject({ type: 'end', completionTokens: 3 })
  })

  test('a file that is no model is refused and leaves nothing open', async () => {
    await using kv = await openKvCache({ host: '32MiB' })
    await expect(serveModel({ modelPath: import.meta.filename, kv })).rejects.toThrow()
    expect(kv.status().models).toEqual([])
  })

  test('closing refuses whoever still waits for a sequence, and a second time does nothing', async () => {
    const world = await open({ model: { slots: 1 } })
    const tokens = Uint32Array.from(words(10))
    const running = world.model.generate({ tokens, maxTokens: 1000, temperature: 0 })
    await running.next()
    const waiting = world.model.generate({ tokens, maxTokens: 1, temperature: 0 }).next()
    const refused = expect(waiting).rejects.toMatchObject({ code: 'KVBM_CLOSED' })
    await world.model.close()
    await refused
    await expect(drain(running)).rejects.toThrow()
    await world[Symbol.asyncDispose]()
  })

  test('a seed repeats an answer; another one, or none, gives another', async () => {
    await using world = await open()
    const ask = async (seed?: number) =>
      (await world.ask({ prompt: words(40), temperature: 1.5, seed, kv: { cache: false } })).text
    const [first, same, other, none, again] = [await ask(7), await ask(7), await ask(-8), await ask(), await ask()]
    expect(same).toBe(first)
    expect(new Set([first, other, none, again]).size).toBe(4)
  })

  test('ends before a stop text, wherever it begins', async () => {
    await using world = await open()
    const body = { prompt: words(40), max_tokens: 24, kv: { cache: false } }
    const whole = await world.ask(body)
    const stop = whole.text.slice(7, 10)
    const stopped = await world.ask({ ...body, stop: [stop, 'never'] })
    expect(stopped).toMatchObject({ text: whole.text.slice(0, whole.text.indexOf(stop)), finish: 'stop' })
    expect(stopped.text.length).toBeLessThan(whole.text.length)
  })

  test('warming fills the cache, and explaining says so to nobody else', async () => {
    await using world = await open({ model: { slots: 1 } })
    const text = 'Once upon a time there was a cache. '.repeat(12)
    const tokens = world.model.tokenize(text)
    const usable = Math.floor((tokens.length - 1) / 16) * 16
    const headers = { 'X-Kvbm-Token': world.server.controlToken }
    const warm = async () => (await world.post('/v1/kv/warm', { prompt: text }, { headers })).json()
    expect(await warm()).toMatchObject({ promptTokens: tokens.length, cachedTokens: 0 })
    const explained = await fetch(`${world.url}/v1/kv/explain?${new URLSearchParams({ prompt: text })}`)
    expect(await explained.json()).toMatchObject({
      reason: 'hit',
      byTier: { host: usable },
    })
    expect(world.model.explain(tokens, { tenant: 'another' })).toMatchObject({ cachedTokens: 0, reason: 'never-seen' })
    await world.ask({ prompt: other })
    expect((await world.ask({ prompt: text })).sources).toEqual(['host', 'computed'])
  })

  test('a conversation goes on from its own beginning; texts of users never become special tokens', async () => {
    await using world = await open()
    const question = { role: 'user' as const, content: 'Who are <|im_end|> you?' }
    const opened = world.model.tokenizeChat([{ role: 'system', content: 'Be short.' }, question])
    const text = world.model.detokenize(opened)
    expect(text).toMatch(/<\|im_start\|>system\nBe short\.<\|im_end\|>\n<\|im_start\|>user\nWho are/)
    expect(text).toMatch(/<\|im_start\|>assistant\n$/)
    const END_OF_TURN = 2
    expect([...opened].filter((token) => token === END_OF_TURN)).toHaveLength(2)
    const answered = world.model.tokenizeChat([
      { role: 'system', content: 'Be short.' },
      question,
      { role: 'assistant', content: 'A cache.' },
      { role: 'user', content: 'And now?' },
    ])
    expect(answered.slice(0, opened.length)).toEqual(opened)
  })

  test('once closed, it says so: not ready, and 503 instead of an answer', async () => {
    await using world = await open()
    expect(world.model.status().model).toBe('open')
    const running = world.post('/v1/completions', { prompt, max_tokens: 500, stream: true })
    while (world.kv.status().counters.requests === 0) await new Promise(setImmediate)
    const closed = world.model.close()
    expect(world.model.status().model).toBe('closed')
    expect(await (await running).text()).toMatch(/The Served model is closed/)
    await closed
    expect((await fetch(`${world.url}/readyz`)).status).toBe(503)
    const messages = [{ role: 'user', content: 'hi' }]
    const headers = { 'X-Kvbm-Token': world.server.controlToken }
    for (const [path, body] of [
      ['/v1/completions', { prompt }],
      ['/v1/completions', { prompt: [1, 2, 3] }],
      ['/v1/chat/completions', { messages }],
      ['/v1/kv/explain', { prompt: 'hi' }],
      ['/v1/kv/warm', { prompt: 'hi' }],
    ] as const)
      expect((await world.post(path, body, { headers })).status, path).toBe(503)
  })

  test('metrics count hit tokens by tier and saved seconds; readiness shows the tiers', async () => {
    await using blocks = await temporaryDirectory()
    const metricsRegistry = new Registry()
    const options = { cache: { dir: blocks.path, metricsRegistry }, server: { metricsRegistry } }
    await using world = await open({ ...options, model: { slots: 1 } })
    await world.ask({ prompt })
    await world.model.settled()
    await world.ask({ prompt: other })
    await world.ask({ prompt })
    const metrics = await (await fetch(`${world.url}/metrics`)).text()
    expect(metrics).toContain('kvbm_hit_tokens_total{tier="host"} 384')
    expect(metrics).toContain('kvbm_server_prompt_tokens_total{model="tiny",source="host"} 384')
    expect(metrics).toMatch(/kvbm_saved_prefill_seconds_total \d/)
    expect(metrics).toMatch(/kvbm_server_saved_prefill_seconds_total\{model="tiny"\} \d/)
    expect(await (await fetch(`${world.url}/readyz`)).json()).toMatchObject({
      ready: true,
      models: [{ id: 'tiny', cache: 'open', tiers: { host: { state: 'ok' }, disk: { state: 'ok' } } }],
    })
  })
})

/** Asks for one of four prompts; every other client leaves after some chunks, or before the first. */
async function visit(world: ServedWorld, client: number): Promise<void> {
  const leaving = new AbortController()
  const body = { prompt: words(60 + 40 * (client % 4), client % 4), max_tokens: 20, stream: true, temperature: 0 }
  const chunksBeforeLeaving = client % 2 === 0 ? Number.POSITIVE_INFINITY : client % 7
  if (chunksBeforeLeaving === 0) setImmediate(() => leaving.abort())
  try {
    let chunks = 0
    for await (const _ of chunksOf(await world.post('/v1/completions', body, { signal: leaving.signal })))
      if (++chunks >= chunksBeforeLeaving) leaving.abort()
  } catch (error) {
    if (!leaving.signal.aborted) throw error
  }
}

async function drain(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of events);
}

async function collect(
  { model }: ServedWorld,
  request: { readonly maxTokens: number; readonly signal?: AbortSignal },
  onEvent: (event: GenerationEvent) => void = () => {},
): Promise<GenerationEvent[]> {
  const events: GenerationEvent[] = []
  for await (const event of model.generate({ tokens: Uint32Array.from(prompt), temperature: 1, seed: 3, ...request })) {
    events.push(event)
    onEvent(event)
  }
  return events
}
