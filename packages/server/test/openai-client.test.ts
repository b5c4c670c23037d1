import OpenAI from 'openai'
import { expect, test } from 'vitest'
import { ServerWorld } from './support/server-world.js'

// The official client, unmodified: only its address points here.
const clientOf = ({ url }: ServerWorld): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 })
const question = [{ role: 'user' as const, content: 'How many?' }]

test('the official client chats, and sees cached tokens the second time', async () => {
  await using world = await ServerWorld.open()
  const client = clientOf(world)
  const ask = () => client.chat.completions.create({ model: 'scripted', messages: question })
  const first = await ask()
  expect(first.choices[0]?.message).toMatchObject({ role: 'assistant', content: 'one two three' })
  expect(first.choices[0]?.finish_reason).toBe('stop')
  expect(first.usage).toMatchObject({ prompt_tokens: 15, completion_tokens: 3, total_tokens: 18 })
  expect(first.usage?.prompt_tokens_details?.cached_tokens).toBe(0)
  expect((await ask()).usage?.prompt_tokens_details?.cached_tokens).toBe(14)
})

test('the official client streams, with usage in the last chunk', async () => {
  await using world = await ServerWorld.open()
  const stream = await clientOf(world).chat.completions.create({
    model: 'scripted',
    messages: question,
    stream: true,
    stream_options: { include_usage: true },
  })
  let text = ''
  const finishes: unknown[] = []
  let usage: unknown
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? ''
    if (chunk.choices[0]?.finish_reason) finishes.push(chunk.choices[0].finish_reason)
    if (chunk.usage) usage = chunk.usage
  }
  expect(text).toBe('one two three')
  expect(finishes).toEqual(['stop'])
  expect(usage).toMatchObject({ prompt_tokens: 15, completion_tokens: 3 })
})

test('the official client completes text, with stop and max_tokens', async () => {
  await using world = await ServerWorld.open()
  const client = clientOf(world)
  const stopped = await client.completions.create({ model: 'scripted', prompt: 'Count', stop: ['three'] })
  expect(stopped.choices[0]).toMatchObject({ text: 'one two ', finish_reason: 'stop' })
  const short = await client.completions.create({
    model: 'scripted',
    prompt: 'Count',
    max_tokens: 1,
    seed: 7,
    temperature: 0,
  })
  expect(short.choices[0]).toMatchObject({ text: 'one ', finish_reason: 'length' })
  expect(world.model.requests.at(-1)).toMatchObject({ seed: 7, temperature: 0, maxTokens: 1 })
})

test('the official client lists models and gets typed errors', async () => {
  await using world = await ServerWorld.open()
  const client = clientOf(world)
  expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['scripted'])
  expect((await client.models.retrieve('scripted')).id).toBe('scripted')
  const missing = client.chat.completions.create({ model: 'gone', messages: question })
  await expect(missing).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  const broken = client.chat.completions.create({ model: 'scripted', messages: question, temperature: 9 })
  await expect(broken).rejects.toMatchObject({ status: 400, param: 'temperature' })
})
