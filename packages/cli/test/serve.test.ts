import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { afterAll, describe, expect, test } from 'vitest'
import { CacheWorld } from './support/cache-world.js'
import { findEngine } from './support/find-engine.js'
import { Kvbm } from './support/kvbm.js'

const reason = await findEngine()
const kvbm = new Kvbm({ withPeers: true })
afterAll(() => kvbm[Symbol.dispose]())

const SMALL = ['--model', 'random:tiny', '--cpu', '--threads', '1', '--port', '0', '--memory', '64MiB', '--slots', '1']
const PROMPT = 'The same long preamble, sentence after sentence, told to every request that comes. '.repeat(6)

describe.skipIf(reason !== undefined)(`with an engine${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  test('answers over HTTP, again from the cache after a restart, explains, counts, and stops when told', async () => {
    using world = new CacheWorld()
    {
      await using server = await Served.start(world, ['--dir', world.dir])
      expect(await server.cachedTokens(PROMPT)).toBe(0)
      expect(await server.cachedTokens(PROMPT)).toBeGreaterThan(0)
      expect(await server.stop()).toBe(0)
    }
    expect(world.models()).toHaveLength(1)
    await using server = await Served.start(world, ['--dir', world.dir])
    expect(await server.cachedTokens(PROMPT)).toBeGreaterThan(0)
    const explained = await kvbm.json<object>('explain', '--url', server.url, '--prompt', PROMPT)
    expect(explained).toMatchObject({ reason: 'hit' })
    const { models } = await kvbm.json<{ models: object[] }>('inspect', world.dir)
    expect(models).toEqual([expect.objectContaining({ table: 'ok' })])
    expect(await (await fetch(new URL('/metrics', server.url))).text()).toContain('kvbm_hit_tokens_total')
  })

  test('keys are tenants, and an address that others can reach needs one', async () => {
    using world = new CacheWorld()
    const open = await kvbm.run(['serve', ...SMALL, '--host', '0.0.0.0'], { env: modelsIn(world) })
    expect(open.code).toBe(1)
    expect(open.err).toContain('0.0.0.0 can be reached by others')
    writeFileSync(world.at('keys'), 'key-of-acme\nkey-of-other\n')
    await using server = await Served.start(world, ['--key-file', world.at('keys')])
    expect((await server.ask(PROMPT)).status).toBe(401)
    for (const key of ['key-of-acme', 'key-of-other']) expect(await server.cachedTokens(PROMPT, key)).toBe(0)
    expect(await server.cachedTokens(PROMPT, 'key-of-other')).toBeGreaterThan(0)
  })
})

test.each([
  [['--port', '70000'], /--port: expected a whole number from 0 to 65535, got '70000'/],
  [['--slots', 'many'], /--slots: expected a whole number from 1 on, got 'many'/],
])('wrong usage %j', async (args, message) => {
  const { code, err } = await kvbm.run(['serve', ...args])
  expect(code).toBe(2)
  expect(err).toMatch(message)
})

const modelsIn = (world: CacheWorld) => ({ KVBM_MODELS_DIR: world.at('models') })

/** A server that runs as a process of its own. */
class Served implements AsyncDisposable {
  readonly url: string
  readonly #process: ChildProcess

  constructor(child: ChildProcess, url: string) {
    this.#process = child
    this.url = url
  }

  static async start(world: CacheWorld, args: readonly string[]): Promise<Served> {
    const child = await kvbm.start(['serve', ...SMALL, ...args], { env: modelsIn(world) })
    for await (const line of createInterface({ input: child.stdout! })) {
      const [, url] = /^Serving \S+ at (http:\S+)\/v1$/.exec(line) ?? []
      if (url !== undefined) return new Served(child, url)
    }
    throw new Error('The server ended before it served.')
  }

  ask(prompt: string, key?: string): Promise<Response> {
    return fetch(new URL('/v1/completions', this.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key !== undefined && { authorization: `Bearer ${key}` }) },
      body: JSON.stringify({ prompt, max_tokens: 2, temperature: 0 }),
    })
  }

  async cachedTokens(prompt: string, key?: string): Promise<number> {
    const response = await this.ask(prompt, key)
    const { usage } = (await response.json()) as { usage: { prompt_tokens_details: { cached_tokens: number } } }
    return usage.prompt_tokens_details.cached_tokens
  }

  /** Its exit code after SIGTERM. */
  async stop(): Promise<number | null> {
    if (this.#process.exitCode === null) {
      this.#process.kill('SIGTERM')
      await once(this.#process, 'exit')
    }
    return this.#process.exitCode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
