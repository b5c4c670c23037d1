// A chat that goes on after a restart. Run it again and again with the same --dir: each run is one turn, and reads what was said
// before from disk instead of computing it.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { kvCacheOf, openKvCache, withKvCache } from '@kvbm/node-llama-cpp'
import { getLlama, LlamaChatSession } from 'node-llama-cpp'
import { fromCommandLine } from './support/command-line.js'
import { MANUAL, QUESTIONS } from './support/keepers-manual.js'

const { modelPath, dir, threads } = await fromCommandLine()
const llama = await getLlama({ maxThreads: threads })
const model = await llama.loadModel({ modelPath })
const kv = await openKvCache({ dir: join(dir, 'blocks') })
const context = withKvCache(await model.createContext({ contextSize: 4096, flashAttention: true }), kv)
const session = new LlamaChatSession({ contextSequence: context.getSequence(), systemPrompt: MANUAL })

// The words are kept by the program, what the model made of them by the cache.
const transcript = join(dir, 'chat.json')
const said = await readFile(transcript, 'utf8').then(JSON.parse, () => [])
if (said.length > 0) session.setChatHistory(said)
for (const { type, text, response } of said.slice(1)) show(type, text ?? response.join(''))

const turn = said.filter(({ type }) => type === 'user').length
const question = QUESTIONS[turn % QUESTIONS.length]
const started = performance.now()
show('user', question)
show('model', await session.prompt(question, { maxTokens: 16, temperature: 0 }))
const seconds = (performance.now() - started) / 1000

await mkdir(dir, { recursive: true })
await writeFile(transcript, JSON.stringify(session.getChatHistory()))
const { promptTokens, byTier } = kvCacheOf(session.sequence).lastReport
console.log(`turn ${turn + 1}: ${byTier.disk} of ${promptTokens} tokens from disk, ${seconds.toFixed(2)} s`)

await context.dispose() // lets captures end
await kv.close()
await llama.dispose()

function show(who, text) {
  console.log(`${who.padStart(5)}: ${JSON.stringify(text)}`)
}
