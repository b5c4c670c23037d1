import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { Registry } from 'prom-client'
import { expect, test, vi } from 'vitest'
import { createKvServer } from '../src/index.js'
import { ScriptedModel } from './support/scripted-model.js'
import { gate, RecordingLogger, ServerWorld } from './support/server-world.js'

const CHAT = '/v1/chat/completions'
const hello = { messages: [{ role: 'user', content: 'hello' }] }

async function errorOf(response: Response): Promise<{ status: number; message: string; code: unknown }> {
  const { error } = (await response.json()) as { error: { message: string; code: unknown } }
  return { status: response.status, message: error.message, code: error.code }
}

test('Server-Timing says where the time went, also in a stream', async () => {
  await using world = await ServerWorld.open()
  for (const stream of [false, true]) {
    const response = await world.post(CHAT, { ...hello, stream })
    expect(response.headers.get('server-timing')).toMatch(
      /^wait;dur=\d+\.\d, lookup;dur=1\.0, restore;dur=2\.0, prefill;dur=3\.0$/,
    )
    await response.text()
  }
})

test('an answer says where its prompt came from: in its first chunk, or beside the usage', async () => {
  await using world = await ServerWorld.open()
  await (await world.post(CHAT, hello)).text()
  const host = { source: 'host', tokens: 10 }
  const computed = { source: 'computed', tokens: 1 }
  const kv = { promptTokens: 11, cachedTokens: 10, spans: [host, computed], restoreMs: 2, prefillMs: 3, missReason: '' }
  expect(await (await world.post(CHAT, hello)).json()).toMatchObject({ kv })
  for (const [path, body] of [
    [CHAT, hello],
    ['/v1/completions', { prompt: '<user>hello' }],
  ] as const) {
    const [first, ...others] = await chunksOf(await world.post(path, { ...body, stream: true }))
    expect(first).toMatchObject({ kv })
    expect(others.filter((chunk) => 'kv' in chunk)).toEqual([])
  }
})

test('kv.cache: false runs a request without the cache, for comparison', async () => {
  await using world = await ServerWorld.open()
  await (await world.post(CHAT, hello)).text()
  const without = await world.post(CHAT, { ...hello, kv: { cache: false } })
  expect(await without.json()).toMatchObject({ kv: { cachedTokens: 0, spans: [{ source: 'computed', tokens: 11 }] } })
  expect(world.model.requests.map(({ cache }) => cache)).toEqual([undefined, false])
  await (await world.post(CHAT, { ...hello, kv: { exact: true } })).text()
  expect(world.model.requests.at(-1)).toMatchObject({ exact: true })
})

test('where a template marks turns with plain text, chats end there, and only chats', async () => {
  await using world = await ServerWorld.open()
  world.model.answer = 'one STOP two three'
  await (await world.post(CHAT, { ...hello, stop: 'two' })).text()
  expect(world.model.requests.at(-1)!.stop).toEqual(['two', 'STOP'])
  const chat = await (await world.post(CHAT, hello)).json()
  expect(chat).toMatchObject({ choices: [{ message: { content: 'one ' }, finish_reason: 'stop' }] })
  const text = await (await world.post('/v1/completions', { prompt: 'hello' })).json()
  expect(text).toMatchObject({ choices: [{ text: 'one STOP two three' }] })
})

test('bodies that cannot be used are 400 and name the field', async () => {
  await using world = await ServerWorld.open()
  expect(await errorOf(await world.post(CHAT, '{'))).toMatchObject({
    status: 400,
    message: expect.stringMatching(/not JSON/),
  })
  expect(await errorOf(await world.post(CHAT, {}))).toMatchObject({
    status: 400,
    message: expect.stringMatching(/^messages/),
  })
  const tools = { ...hello, tools: [{ type: 'function' }] }
  expect(await errorOf(await world.post(CHAT, tools))).toMatchObject({
    status: 400,
    message: expect.stringMatching(/^tools/),
  })
  for (const [field, value] of [
    ['n', 2],
    ['top_p', 0],
    ['presence_penalty', 0.5],
    ['logit_bias', { 7: 1 }],
    ['response_format', { type: 'json_object' }],
    ['kv', { cahe: false }],
    ['kv', { cache: 'no' }],
  ] as const)
    expect(await errorOf(await world.post(CHAT, { ...hello, [field]: value }))).toMatchObject({
      status: 400,
      message: expect.stringMatching(new RegExp(`^${field}`)),
    })
  expect((await world.post('/v1/completions', { prompt: '' })).status).toBe(400)
})

test('what cannot be done is refused with what to do instead', async () => {
  await using world = await ServerWorld.open()
  for (const [field, value, remedy] of [
    ['tools', [{ type: 'function' }], /^tools: not supported.*Leave it out/],
    ['functions', [{ name: 'f' }], /^functions: not supported.*Leave it out/],
    ['n', 2, /^n: one answer to a request.*Ask again/],
    ['logprobs', true, /^logprobs: not supported.*Leave it out/],
    ['presence_penalty', 1, /^presence_penalty: not supported.*Leave it out/],
    ['response_format', { type: 'json_object' }, /^response_format\.type: .*Ask for JSON in the prompt/],
  ] as const)
    expect((await errorOf(await world.post(CHAT, { ...hello, [field]: value }))).message).toMatch(remedy)
  const tool = { messages: [...hello.messages, { role: 'tool', content: '7' }] }
  expect((await errorOf(await world.post(CHAT, tool))).message).toMatch(/^messages\.1\.role: expected one of system, /)
})

test('an assistant may have said nothing, and an empty stop text stops nothing', async () => {
  await using world = await ServerWorld.open()
  const messages = [...hello.messages, { role: 'assistant', content: null }, { role: 'assistant' }, ...hello.messages]
  expect((await world.post(CHAT, { messages })).status).toBe(200)
  expect((await world.post(CHAT, { messages: [{ role: 'user', content: null }] })).status).toBe(400)
  for (const stop of ['', ['', 'two']]) expect((await world.post(CHAT, { ...hello, stop })).status).toBe(200)
  expect(world.model.requests.slice(1).map(({ stop }) => stop)).toEqual([['STOP'], ['two', 'STOP']])
})

test('token numbers that the model does not have never reach the engine', async () => {
  await using world = await ServerWorld.open()
  for (const token of [0x10000, 2 ** 32 + 1])
    expect(await errorOf(await world.post('/v1/completions', { prompt: [1, token] }))).toMatchObject({
      status: 400,
      message: `prompt: token ${token} is not one of this model's 65536.`,
    })
  expect((await world.post('/v1/completions', { prompt: [1, 0xffff] })).status).toBe(200)
})

test('a prompt longer than the context is refused with its length, by the name of its field', async () => {
  await using world = await ServerWorld.open()
  const long = 'x'.repeat(200)
  for (const [path, param, body] of [
    ['/v1/completions', 'prompt', { prompt: long }],
    [CHAT, 'messages', { messages: [{ role: 'user', content: long }] }],
  ] as const)
    expect(await (await world.post(path, body)).json()).toMatchObject({
      error: { code: 'context_length_exceeded', param, message: expect.stringMatching(/^The prompt has 20\d tokens/) },
    })
})

test('a prompt that cannot fit is refused before it is tokenized', async () => {
  await using world = await ServerWorld.open()
  const headers = { 'X-Kvbm-Token': world.server.controlToken }
  const prompt = 'x'.repeat(100_000)
  const messages = [{ role: 'user', content: prompt }]
  const crowd = Array.from({ length: 201 }, () => ({ role: 'user', content: '' }))
  for (const [path, body] of [
    ['/v1/completions', { prompt }],
    ['/v1/completions', { prompt: [prompt] }],
    ['/v1/kv/warm', { prompt }],
    ['/v1/kv/explain', { prompt }],
    [CHAT, { messages }],
    [CHAT, { messages: crowd }],
    ['/v1/kv/explain', { messages }],
  ] as const)
    expect(await errorOf(await world.post(path, body, { headers }))).toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
    })
  expect(world.model.tokenized).toBe(0)
})

test('a body beyond the limit is 413, with and without a stated length', async () => {
  await using world = await ServerWorld.open({ bodyBytesMax: 1000 })
  const big = JSON.stringify({ prompt: 'x'.repeat(2000) })
  expect((await world.post('/v1/completions', big)).status).toBe(413)
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(big))
      controller.close()
    },
  })
  const streamed = await world.server.fetch(
    new Request(`${world.url}/v1/completions`, { method: 'POST', body, duplex: 'half' } as RequestInit),
  )
  expect(streamed.status).toBe(413)
})

test('beyond the running and the waiting ones a request gets 429 with Retry-After, and later ones are served', async () => {
  await using world = await ServerWorld.open({ waitingMax: 1 })
  const held = gate()
  world.model.gate = held.closed
  const running = [world.post(CHAT, hello), world.post(CHAT, hello)]
  await untilRunning(world.model, 2)
  const waiting = world.post(CHAT, hello)
  // It waits inside the model, whose cache must know that somebody does.
  while (world.model.waiting === 0) await new Promise(setImmediate)
  const { tokenized } = world.model
  const refused = await world.post(CHAT, hello)
  expect(refused.status).toBe(429)
  expect(world.model.tokenized).toBe(tokenized)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  held.open()
  for (const response of await Promise.all([...running, waiting])) expect(response.status).toBe(200)
  expect((await world.post(CHAT, hello)).status).toBe(200)
})

test('a client that goes away ends its generation and frees its place', async () => {
  await using world = await ServerWorld.open()
  const held = gate()
  world.model.gate = held.closed
  const client = new AbortController()
  const response = await world.post(CHAT, { ...hello, stream: true }, { signal: client.signal })
  const reader = response.body!.getReader()
  await reader.read()
  expect(world.model.running).toBe(1)
  client.abort()
  await expect(reader.read()).rejects.toThrow()
  while (!world.model.requests[0]!.signal!.aborted) await new Promise(setImmediate)
  held.open()
  await untilRunning(world.model, 0)
  expect(world.model.abandoned).toBe(1)
  world.model.gate = undefined
  expect((await world.post(CHAT, hello)).status).toBe(200)
})

test('a client that reads nothing holds no place longer than its answer takes', async () => {
  await using world = await ServerWorld.open()
  const response = await world.server.fetch(
    new Request(`${world.url}${CHAT}`, { method: 'POST', body: JSON.stringify({ ...hello, stream: true }) }),
  )
  await untilRunning(world.model, 0)
  expect(world.model.abandoned).toBe(0)
  expect(await chunksOf(response)).toHaveLength(5)
})

test('a client that goes away before its turn is never answered, and is no failure', async () => {
  const logger = new RecordingLogger()
  await using world = await ServerWorld.open({ logger })
  const held = gate()
  world.model.gate = held.closed
  const running = [world.post(CHAT, hello), world.post(CHAT, hello)]
  await untilRunning(world.model, 2)
  const client = new AbortController()
  const { signal } = client
  const waiting = world.server.fetch(
    new Request(`${world.url}${CHAT}`, { method: 'POST', body: JSON.stringify(hello), signal }),
  )
  while (world.model.waiting === 0) await new Promise(setImmediate)
  client.abort()
  expect((await waiting).status).toBe(503)
  held.open()
  for (const response of await Promise.all(running)) await response.text()
  expect(world.model.requests).toHaveLength(2)
  expect(logger.errors).toEqual([])
})

test('an engine that fails is a 500 before the answer began, and the place is free again', async () => {
  await using world = await ServerWorld.open()
  world.model.failure = new Error('the engine broke')
  for (let round = 0; round < 3; round++)
    expect(await errorOf(await world.post(CHAT, hello))).toMatchObject({ status: 500, message: 'the engine broke' })
  world.model.failure = undefined
  expect((await world.post(CHAT, hello)).status).toBe(200)
})

test.each(['tokenizeChat', 'generate', 'chatStops'] as const)(
  'a model that throws in %s keeps no place',
  async (member) => {
    await using world = await ServerWorld.open({ waitingMax: 0 })
    const broken = new Error('the engine broke')
    const throwing = member === 'chatStops' ? vi.spyOn(world.model, member, 'get') : vi.spyOn(world.model, member)
    throwing.mockImplementation(() => {
      throw broken
    })
    for (let round = 0; round < 3; round++)
      expect(await errorOf(await world.post(CHAT, hello))).toMatchObject({ status: 500, message: 'the engine broke' })
    throwing.mockRestore()
    expect((await world.post(CHAT, hello)).status).toBe(200)
  },
)

test('foreign hosts and foreign pages are refused on every route', async () => {
  await using world = await ServerWorld.open()
  for (const path of ['/healthz', '/readyz', '/metrics', '/v1/models', '/nowhere']) {
    expect((await fetch(`${world.url}${path}`, { headers: { Origin: 'https://evil.example' } })).status).toBe(403)
    expect(await statusWithHost(`${world.url}${path}`, 'evil.example')).toBe(403)
  }
  expect((await fetch(`${world.url}/healthz`, { headers: { Origin: world.url } })).status).toBe(200)
  expect((await fetch(`${world.url}/healthz`)).headers.get('access-control-allow-origin')).toBeNull()
})

test('a request that names no host is refused', async () => {
  await using world = await ServerWorld.open()
  expect(await rawAnswer(world.url, 'GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
  expect(await rawAnswer(world.url, 'GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /)
})

test('a host may be allowed on every port or on one', async () => {
  await using world = await ServerWorld.open({ allowedHosts: ['any.example', 'One.example:8080'] })
  for (const [host, status] of [
    ['any.example', 200],
    ['any.example:1', 200],
    ['one.example:8080', 200],
    ['one.example:8081', 403],
    ['one.example', 403],
  ] as const)
    expect(await statusWithHost(`${world.url}/healthz`, host), host).toBe(status)
})

test('the numbers of all tenants are for the operator, once there are keys', async () => {
  await using world = await ServerWorld.open({ apiKeys: ['key-number-one'], metricsRegistry: new Registry() })
  const ask = (authorization: string) => fetch(`${world.url}/metrics`, { headers: { authorization } })
  expect(await errorOf(await ask('Bearer key-number-one'))).toMatchObject({
    status: 403,
    message: expect.stringMatching(/^This tells of all tenants/),
  })
  expect((await ask(`Bearer ${world.server.controlToken}`)).status).toBe(200)
  expect((await ask(`bearer ${world.server.controlToken}`)).status).toBe(200)
  const headers = { authorization: 'bearer key-number-one' }
  expect((await fetch(`${world.url}/v1/models`, { headers })).status).toBe(200)
})

test('with keys each key is a tenant: no key no answer, and hits only among its own', async () => {
  await using world = await ServerWorld.open({ apiKeys: ['key-number-one', 'key-number-two'] })
  expect((await world.post(CHAT, hello)).status).toBe(401)
  expect((await fetch(`${world.url}/v1/models`)).status).toBe(401)
  const as = (key: string) => ({ headers: { Authorization: `Bearer ${key}` } })
  const cached = async (key: string): Promise<number> => {
    const body = (await (await world.post(CHAT, hello, as(key))).json()) as {
      usage: { prompt_tokens_details: { cached_tokens: number } }
    }
    return body.usage.prompt_tokens_details.cached_tokens
  }
  expect(await cached('key-number-one')).toBe(0)
  expect(await cached('key-number-one')).toBeGreaterThan(0)
  expect(await cached('key-number-two')).toBe(0)
  const explain = async (key: string) =>
    (await fetch(`${world.url}/v1/kv/explain?prompt=%3Cuser%3Ehello`, as(key))).json()
  expect(await explain('key-number-one')).toMatchObject({ reason: 'hit' })
  await world.post('/v1/completions', { prompt: 'only one knows' }, as('key-number-one'))
  const foreign = await fetch(`${world.url}/v1/kv/explain?prompt=only%20one%20knows`, as('key-number-two'))
  expect(await foreign.json()).toMatchObject({ cachedTokens: 0, reason: 'never seen' })
  expect((await fetch(`${world.url}/metrics`, as('key-number-one'))).status).toBe(403)
  expect(world.model.requests.every(({ tenant }) => tenant !== undefined && !tenant.includes('key-number'))).toBe(true)
})

test('nobody’s body is read before the key is known', async () => {
  await using world = await ServerWorld.open({ apiKeys: ['key-number-one'], bodyBytesMax: 100 })
  const headers = { 'X-Kvbm-Token': world.server.controlToken }
  for (const path of [CHAT, '/v1/completions', '/v1/kv/warm', '/v1/kv/explain'])
    for (const body of ['{', '{"messages":[]}', 'x'.repeat(200)])
      expect((await world.post(path, body, { headers })).status, `${path} ${body}`).toBe(401)
  expect((await fetch(`${world.url}/v1/kv/explain?messages=[`)).status).toBe(401)
})

test('warming needs the control token', async () => {
  await using world = await ServerWorld.open()
  expect((await world.post('/v1/kv/warm', { prompt: 'abc' })).status).toBe(403)
  const headers = { 'X-Kvbm-Token': world.server.controlToken }
  const warmed = await world.post('/v1/kv/warm', { prompt: 'abc' }, { headers })
  expect(await warmed.json()).toMatchObject({ promptTokens: 3, cachedTokens: 0, captured: true, reason: '' })
  expect((await world.post('/v1/kv/warm', { prompt: 'x'.repeat(200) }, { headers })).status).toBe(400)
})

test('warming and explaining take every prompt that a completion takes, and refuse others in the same words', async () => {
  await using world = await ServerWorld.open()
  const headers = { 'X-Kvbm-Token': world.server.controlToken }
  const paths = ['/v1/completions', '/v1/kv/warm', '/v1/kv/explain']
  for (const path of paths)
    for (const prompt of ['abc', ['abc'], [97, 98, 99]])
      expect((await world.post(path, { prompt }, { headers })).status, `${path} ${prompt}`).toBe(200)
  const explained = await world.post('/v1/kv/explain', { prompt: [97, 98, 99] })
  expect(await explained.json()).toMatchObject({ promptTokens: 3, reason: 'hit' })
  for (const path of paths) {
    for (const prompt of [7, [], ['abc', 'def'], ['abc', 1], [-1], [0.5]])
      expect(await errorOf(await world.post(path, { prompt }, { headers })), `${path} ${prompt}`).toMatchObject({
        status: 400,
        message: expect.stringMatching(
          /^prompt(: expected a text, an array with one text|\.0: expected a token number, which is 0 or more)/,
        ),
      })
    expect(await errorOf(await world.post(path, { prompt: [0x10000] }, { headers }))).toMatchObject({
      status: 400,
      message: expect.stringMatching(/^prompt: token 65536 is not one of/),
    })
  }
})

test('a warmed prompt that waits for its capture takes no place from others', async () => {
  await using world = await ServerWorld.open({ waitingMax: 0 })
  const held = gate()
  world.model.captureGate = held.closed
  const headers = { 'X-Kvbm-Token': world.server.controlToken }
  const warming = ['abc', 'def'].map((prompt) => world.post('/v1/kv/warm', { prompt }, { headers }))
  while (world.model.capturing < 2) await new Promise(setImmediate)
  expect((await world.post(CHAT, hello)).status).toBe(200)
  held.open()
  for (const response of await Promise.all(warming)) expect(response.status).toBe(200)
})

test('explaining takes a prompt or the messages of a chat', async () => {
  await using world = await ServerWorld.open()
  const ask = (query: Record<string, string>) => fetch(`${world.url}/v1/kv/explain?${new URLSearchParams(query)}`)
  const messages = JSON.stringify(hello.messages)
  expect(await (await ask({ messages })).json()).toMatchObject({ promptTokens: 11, reason: 'never seen' })
  await (await world.post(CHAT, hello)).text()
  expect(await (await ask({ messages })).json()).toMatchObject({ reason: 'hit', message: 'It is hit.' })
  expect(await (await ask({ prompt: '<user>hello' })).json()).toMatchObject({ reason: 'hit' })
  expect(await errorOf(await ask({ messages: '[' }))).toMatchObject({
    status: 400,
    message: expect.stringMatching(/^messages: not JSON/),
  })
  expect((await ask({})).status).toBe(400)
  const long = { prompt: 'x'.repeat(5000) }
  expect(await (await world.post('/v1/kv/explain', long)).json()).toMatchObject({ promptTokens: 5000 })
})

test('health, readiness and metrics', async () => {
  await using world = await ServerWorld.open({ metricsRegistry: new Registry() })
  expect(await (await fetch(`${world.url}/healthz`)).text()).toBe('ok')
  expect(await (await fetch(`${world.url}/readyz`)).json()).toEqual({
    ready: true,
    models: [{ id: 'scripted', model: 'open', cache: 'open', tiers: { host: { state: 'ok' } } }],
  })
  await world.post(CHAT, hello)
  const metrics = await (await fetch(`${world.url}/metrics`)).text()
  expect(metrics).toContain('kvbm_server_requests_total{route="/v1/chat/completions",status="200"} 1')
  expect(metrics).toContain('kvbm_server_time_to_first_token_seconds_count{model="scripted",cached="no"} 1')
  expect(metrics).toContain('kvbm_server_prompt_tokens_total{model="scripted",source="computed"} 11')
  expect(metrics).toContain('kvbm_server_saved_prefill_seconds_total{model="scripted"} 0')
})

test('servers on one registry are counted together; the last one takes its metrics with it', async () => {
  const metricsRegistry = new Registry()
  for (let round = 0; round < 2; round++) {
    await using first = await ServerWorld.open({ metricsRegistry })
    await using second = await ServerWorld.open({ metricsRegistry })
    for (const world of [first, second]) await fetch(`${world.url}/healthz`)
    const counted = 'kvbm_server_requests_total{route="/healthz",status="200"} 2'
    expect(await metricsRegistry.metrics()).toContain(counted)
    await first.server.close()
    await first.server.close()
    expect(await metricsRegistry.metrics()).toContain(counted)
    await second.server.close()
    expect(metricsRegistry.getMetricsAsArray()).toEqual([])
  }
})

test('a model that was closed makes the server unready; requests to it are 503', async () => {
  await using world = await ServerWorld.open()
  await world.model.close()
  const readiness = await fetch(`${world.url}/readyz`)
  expect(readiness.status).toBe(503)
  expect(await readiness.json()).toMatchObject({ ready: false, models: [{ id: 'scripted', model: 'closed' }] })
  const refused = await errorOf(await world.post(CHAT, hello))
  expect(refused).toMatchObject({ status: 503, message: expect.stringMatching(/^The Scripted model is closed/) })
})

test('readiness gives reasons, which may name paths, to the operator only', async () => {
  await using world = await ServerWorld.open()
  world.model.reason = 'no space at /srv/ada/kv'
  const ask = async (headers: Record<string, string> = {}) => (await fetch(`${world.url}/readyz`, { headers })).text()
  expect(await ask()).not.toContain('/srv/ada')
  const token = world.server.controlToken
  for (const [name, value] of [
    ['X-Kvbm-Token', token],
    ['Authorization', `Bearer ${token}`],
  ] as const)
    expect(JSON.parse(await ask({ [name]: value }))).toMatchObject({
      models: [{ reason: world.model.reason, tiers: { host: { reason: world.model.reason } } }],
    })
})

test('it refuses to be reachable by others without a key', async () => {
  const server = await createKvServer({ models: [new ScriptedModel()] })
  await expect(server.listen({ host: '0.0.0.0' })).rejects.toThrow(/0\.0\.0\.0 can be reached by others/)
  await server.close()
})

test('closing drains: running answers end, new requests are refused', async () => {
  const world = await ServerWorld.open()
  const held = gate()
  world.model.gate = held.closed
  const running = world.post(CHAT, hello)
  await untilRunning(world.model, 1)
  const closed = world.server.close({ deadlineMs: 60_000 })
  const refused = { method: 'POST', body: JSON.stringify(hello) }
  expect((await world.server.fetch(new Request(`${world.url}${CHAT}`, refused))).status).toBe(503)
  expect((await world.server.fetch(new Request(`${world.url}/readyz`))).status).toBe(503)
  held.open()
  expect((await running).status).toBe(200)
  await closed
  await expect(fetch(`${world.url}/healthz`)).rejects.toThrow()
})

test('closing aborts what outlives its deadline', async () => {
  const world = await ServerWorld.open()
  const held = gate()
  world.model.gate = held.closed
  const running = world.post(CHAT, hello)
  await untilRunning(world.model, 1)
  const closed = world.server.close({ deadlineMs: 1 })
  while (!world.model.requests[0]!.signal!.aborted) await new Promise(setImmediate)
  held.open()
  await closed
  expect(world.model.abandoned).toBe(1)
  await running.then(
    (response) => response.body?.cancel(),
    () => {},
  )
})

/** What a stream of events carried, without its `[DONE]`. */
async function chunksOf(response: Response): Promise<Array<Record<string, unknown>>> {
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && line !== 'data: [DONE]')
  return lines.map((line) => JSON.parse(line.replace(/^data: /, '')) as Record<string, unknown>)
}

/** fetch() does not let a program set Host. */
function statusWithHost(url: string, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { headers: { Host: host } }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    request.on('error', reject)
    request.end()
  })
}

/** What comes back for bytes that fetch() would not send. */
async function rawAnswer(url: string, request: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.end(request)
  return text(socket)
}

async function untilRunning(model: ScriptedModel, count: number): Promise<void> {
  while (model.running !== count) await new Promise(setImmediate)
}
