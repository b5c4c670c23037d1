import { writeFileSync } from 'node:fs'
import type { KvConnector, ServedModel } from '@kvbm/connector'
import { MemoryDriver, MemoryEngine, type MemorySlot } from '@kvbm/connector/testing'
import { createKvServer } from '@kvbm/server'
import { afterAll, describe, expect, test } from 'vitest'
import { CacheWorld, PAGE, prompt } from './support/cache-world.js'
import { Kvbm } from './support/kvbm.js'

const kvbm = new Kvbm()
afterAll(() => kvbm[Symbol.dispose]())

interface Findings {
  readonly models: readonly object[]
}

describe('a directory', () => {
  const tokensFile = (world: CacheWorld, tokens: Uint32Array): string => {
    writeFileSync(world.at('tokens.json'), JSON.stringify([...tokens]))
    return world.at('tokens.json')
  }

  test.each<[string, Uint32Array, object]>([
    ['a prompt that is there', prompt(100), { reason: 'hit', cachedTokens: 96 }],
    ['one whose last token would be cached, too', prompt(96), { reason: 'hit', cachedTokens: 80 }],
    [
      'one that goes on',
      prompt(200),
      { reason: 'ends', cachedTokens: 96, message: expect.stringContaining('Block 6, ') },
    ],
    ['one never seen', prompt(100, 9), { reason: 'no-block', cachedTokens: 0 }],
    ['one that is too short', prompt(PAGE), { reason: 'too-short', cachedTokens: 0 }],
  ])('%s', async (_what, tokens, expected) => {
    using world = new CacheWorld()
    await world.fill([prompt(100)])
    const { models } = await kvbm.json<Findings>('explain', world.dir, '--tokens', tokensFile(world, tokens))
    expect(models).toEqual([expect.objectContaining({ name: 'model-1', ...expected })])
  })

  test('says what the cache itself finds afterwards, under tenants and in exact mode too', async () => {
    using world = new CacheWorld()
    await world.fill([prompt(100)], { tenant: 'acme' })
    await world.fill([prompt(600)], { exact: true })
    const file = tokensFile(world, prompt(100))
    const found = async (...flags: string[]) =>
      (await kvbm.json<Findings>('explain', world.dir, '--tokens', file, ...flags)).models[0]
    expect(await found('--tenant', 'acme')).toMatchObject({ reason: 'hit', cachedTokens: 96 })
    expect(await found('--tenant', 'other')).toMatchObject({ reason: 'no-block' })
    expect(await found()).toMatchObject({ reason: 'no-block' })
    expect(await found('--exact')).toMatchObject({ reason: 'hit' })
  })

  test('a block in the middle that was evicted is a gap', async () => {
    using world = new CacheWorld()
    await world.fill([prompt(100)])
    world.damage('slots.kvbm', (bytes) => {
      const view = new DataView(bytes.buffer, 2 ** 20)
      const slot = [0, 1, 2, 3, 4, 5].find((index) => view.getUint32(index * 64 + 48, true) === 2)!
      return bytes.fill(0, 2 ** 20 + slot * 64, 2 ** 20 + slot * 64 + 64)
    })
    const { out } = await kvbm.run(['explain', world.dir, '--tokens', tokensFile(world, prompt(100))])
    expect(out).toMatch(/^model-1 +32 of 100 +Block 2, tokens 32 to 47, is not there, but 3 later ones are/m)
  })
})

describe('two prompts', () => {
  test('the first token that differs, and what whole blocks share', async () => {
    using world = new CacheWorld()
    writeFileSync(world.at('now.txt'), [...prompt(50)].join(' '))
    writeFileSync(world.at('then.txt'), [...prompt(50).with(40, 7)].join(',\n'))
    const args = ['explain', '--tokens', world.at('now.txt'), '--before', world.at('then.txt')]
    expect((await kvbm.run(args)).out).toBe(
      `Token 40 is the first that differs: ${prompt(50)[40]} here, 7 before. 32 of 50 tokens lie in whole blocks of 16 that both have.\n`,
    )
    expect(await kvbm.json(...args, '--page-size', '8')).toMatchObject({ difference: { token: 40, sharedTokens: 40 } })
  })

  test('files that hold no tokens are refused', async () => {
    using world = new CacheWorld()
    for (const [text, message] of [
      ['[1, 2, -3]', /expected numbers of tokens from 0 to 4294967295, got '-3'/],
      ['[4294967296]', /got '4294967296'/],
      ['[]', /There are no tokens in /],
    ] as const) {
      writeFileSync(world.at('bad'), text)
      const { code, err } = await kvbm.run(['explain', '--tokens', world.at('bad'), '--before', world.at('bad')])
      expect(code).toBe(1)
      expect(err).toMatch(message)
    }
  })
})

describe('a server', () => {
  test('is asked for a text and for a chat, with its key; its complaints are passed on', async () => {
    using world = new CacheWorld()
    await using kv = await world.open()
    const engine = new MemoryEngine()
    const connector = kv.connect(new MemoryDriver(engine, { through: 'file' }))
    await connector.ready()
    await using server = await createKvServer({ models: [spelling(connector)], apiKeys: ['key-of-acme'] })
    const { url } = await server.listen()
    const ask = (...args: string[]) => kvbm.run(['explain', '--url', url, ...args], { input: 'key-of-acme' })
    writeFileSync(world.at('chat.json'), JSON.stringify([{ role: 'user', content: 'a question that nobody asked' }]))
    const text = await ask('--prompt', 'a prompt that nobody asked before', '--key-file', '-')
    expect(text).toMatchObject({ code: 0, out: expect.stringMatching(/^0 of 33 tokens are cached\.\nnever-seen: /) })
    const chat = await ask('--messages-file', world.at('chat.json'), '--key-file', '-', '--json')
    expect(JSON.parse(chat.out)).toMatchObject({ promptTokens: 28, reason: 'never-seen' })
    expect(await ask('--prompt', 'a')).toMatchObject({ code: 1, err: expect.stringContaining('refused (401)') })
  })

  test('is asked for prompts of any length that it takes, and for no chat that is no JSON', async () => {
    using world = new CacheWorld()
    await using kv = await world.open()
    const connector = kv.connect(new MemoryDriver(new MemoryEngine(), { through: 'file' }))
    await connector.ready()
    await using server = await createKvServer({ models: [spelling(connector)] })
    const { url } = await server.listen()
    const ask = (...args: string[]) => kvbm.run(['explain', '--url', url, ...args])
    writeFileSync(world.at('long.txt'), 'x'.repeat(500_000))
    const long = await ask('--prompt-file', world.at('long.txt'), '--model', 'spelling')
    expect(long).toMatchObject({ code: 0, out: expect.stringMatching(/^0 of 500000 tokens are cached/) })
    writeFileSync(world.at('longer.txt'), 'x'.repeat(2 ** 21))
    const longer = await ask('--prompt-file', world.at('longer.txt'))
    expect(longer).toMatchObject({ code: 1, err: expect.stringMatching(/refused \(413\): The body is larger than/) })
    writeFileSync(world.at('broken.json'), '[')
    const broken = await ask('--messages-file', world.at('broken.json'))
    expect(broken).toMatchObject({ code: 1, err: expect.stringMatching(/broken\.json: expected .* JSON/) })
  })

  test('that is not there', async () => {
    const server = await createKvServer({ models: [spelling()] })
    const { url } = await server.listen()
    await server.close()
    const { code, err } = await kvbm.run(['explain', '--url', url, '--prompt', 'a'])
    expect(code).toBe(1)
    expect(err).toMatch(/^http:\/\/127\.0\.0\.1:\d+ does not answer: .*Is the server running there\?$/m)
  })
})

test.each([
  [['explain'], 2, /Give --url URL, or --tokens FILE/],
  [['explain', '--tokens', 'a'], 2, /Give a cache directory, or --before FILE/],
  [['explain', '--url', 'http://127.0.0.1:1'], 2, /Give one of --prompt/],
  [['explain', '--url', 'example', '--prompt', 'a'], 1, /--url: expected an address/],
  [
    ['explain', '--tokens', 'a', '--before', 'b', '--page-size', '0'],
    2,
    /--page-size: expected a whole number from 1 on/,
  ],
])('kvbm %j ends with %i', async (args, code, message) => {
  const outcome = await kvbm.run(args)
  expect(outcome.code).toBe(code)
  expect(outcome.err).toMatch(message)
})

/** A model whose tokens are characters, as far as `explain` asks it. */
function spelling(connector?: KvConnector<MemorySlot>): ServedModel {
  const tokenize = (text: string): Uint32Array => Uint32Array.from(text, (character) => character.codePointAt(0)!)
  const refuse = (): never => {
    throw new Error('only explain is asked here')
  }
  return {
    id: 'spelling',
    notice: '',
    vocabularySize: 2 ** 20,
    contextTokens: 2 ** 20,
    slots: 1,
    tokenize,
    tokenizeChat: (messages) => tokenize(messages.map(({ content }) => content).join('\n')),
    detokenize: (tokens) => String.fromCodePoint(...tokens),
    explain: (tokens, options) => connector!.explain(tokens, { ...options, ownOnly: true }),
    status: () => ({ model: 'open', cache: 'open', reason: '', tiers: {} }),
    close: async () => {},
    generate: refuse,
    warm: refuse,
  }
}
