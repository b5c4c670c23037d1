// The official OpenAI client, unmodified, against a server of one's own with the cache underneath.
import { openKvCache, serveModel } from '@kvbm/node-llama-cpp'
import { createKvServer } from '@kvbm/server'
import OpenAI from 'openai'
import { fromCommandLine } from './support/command-line.js'
import { MANUAL } from './support/keepers-manual.js'

const { modelPath, dir, threads } = await fromCommandLine()
const kv = await openKvCache({ dir })
const model = await serveModel({ modelPath, kv, threads, id: 'keeper' })
const server = await createKvServer({ models: [model] })
const { url } = await server.listen() // loopback, a free port

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none needed on loopback' })
/** @type {OpenAI.ChatCompletionMessageParam[]} */
const messages = [
  { role: 'system', content: MANUAL },
  { role: 'user', content: 'How often does it flash?' },
]
const request = { model: 'keeper', messages, max_tokens: 16, temperature: 0 }

const { choices, usage } = await client.chat.completions.create(request)
report('at once', choices[0].message.content, usage)

let text = ''
const stream = await client.chat.completions.create({
  ...request,
  stream: true,
  stream_options: { include_usage: true },
})
for await (const chunk of stream) {
  text += chunk.choices[0]?.delta.content ?? ''
  if (chunk.usage) report('streamed', text, chunk.usage)
}

await server.close()
await model.close()
await kv.close()

function report(how, answer, usage) {
  console.log(`${how}: ${usage.prompt_tokens_details.cached_tokens} of ${usage.prompt_tokens} tokens cached`)
  console.log(`  ${JSON.stringify(answer)}`)
}
