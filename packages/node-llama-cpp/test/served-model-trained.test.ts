import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { modelsDirectory } from '../src/models/index.js'
import { DEFAULT_MODEL } from '../src/models/pinned-model.js'
import { ServedWorld } from './support/served-world.js'
import { temporaryDirectory } from './support/temporary-directory.js'
import { engine } from './support/tiny-engine.js'

const modelPath = join(modelsDirectory(), DEFAULT_MODEL.fileName)
const missing = existsSync(modelPath) ? engine : `no ${DEFAULT_MODEL.fileName} in the models directory`
const why = typeof missing === 'string' ? ` (skipped: ${missing})` : ''

interface ChatJson {
  readonly choices: readonly [{ readonly message: { readonly content: string } }]
  readonly usage: { readonly prompt_tokens_details: { readonly cached_tokens: number } }
  readonly kv: { readonly spans: ReadonlyArray<{ readonly source: string }> }
}

const MANUAL =
  'You answer questions about the house. The kitchen is red. The cellar is blue. The roof is green. '.repeat(12)

/** Asks, and waits until what is new is captured. */
async function ask(world: ServedWorld, question: string, kv: object = {}): Promise<ChatJson> {
  const messages = [
    { role: 'system', content: MANUAL },
    { role: 'user', content: question },
  ]
  const body = { messages, temperature: 0, max_tokens: 24, kv }
  const answer = (await (await world.post('/v1/chat/completions', body)).json()) as ChatJson
  await world.model.settled()
  return answer
}

const textOf = ({ choices: [{ message }] }: ChatJson): string => message.content
const cachedOf = ({ usage }: ChatJson): number => usage.prompt_tokens_details.cached_tokens

describe.skipIf(typeof missing === 'string')(`the default model behind the server${why}`, () => {
  test('answers as it does without a cache, from memory and, after a restart, from disk', {
    timeout: 120_000,
  }, async () => {
    await using blocks = await temporaryDirectory()
    const options = { cache: { dir: blocks.path, host: '256MiB', disk: '512MiB' }, model: { modelPath, slots: 1 } }
    const [kitchen, capital] = ['What colour is the kitchen?', 'What is the capital of France?']
    let cold: string
    {
      await using world = await ServedWorld.open(options)
      cold = textOf(await ask(world, kitchen, { cache: false }))
      expect(cold).toMatch(/kitchen/)
      expect(textOf(await ask(world, kitchen, { exact: true }))).toBe(cold)
      const other = await ask(world, capital, { exact: true })
      expect(textOf(other)).toMatch(/Paris/)
      expect(cachedOf(other)).toBeGreaterThan(200)
      const again = await ask(world, kitchen, { exact: true })
      expect(textOf(again)).toBe(cold)
      expect(cachedOf(again)).toBeGreaterThan(200)
    }
    await using world = await ServedWorld.open(options)
    const restarted = await ask(world, kitchen, { exact: true })
    expect(textOf(restarted)).toBe(cold)
    expect(restarted.kv.spans[0]).toMatchObject({ source: 'disk' })
  })
})
