// An ordinary node-llama-cpp program, and the three lines that put the cache under it: open, wrap, close.
import { kvCacheOf, openKvCache, withKvCache } from '@kvbm/node-llama-cpp'
import { getLlama, LlamaChatSession } from 'node-llama-cpp'
import { fromCommandLine } from './support/command-line.js'
import { inWords } from './support/in-words.js'
import { MANUAL } from './support/keepers-manual.js'

const { modelPath, dir, threads } = await fromCommandLine()
const llama = await getLlama({ maxThreads: threads })
const model = await llama.loadModel({ modelPath })
const context = await model.createContext({ sequences: 2, contextSize: 2048, flashAttention: true })

const kv = await openKvCache({ dir }) // 1: where what was computed is kept
withKvCache(context, kv) // 2: every sequence of this context uses it

for (const visitor of ['first', 'second']) {
  const session = new LlamaChatSession({ contextSequence: context.getSequence(), systemPrompt: MANUAL })
  const started = performance.now()
  const answer = await session.prompt('How high does the light stand?', { maxTokens: 16, temperature: 0 })
  const ms = performance.now() - started

  const cache = kvCacheOf(session.sequence)
  await cache.settled() // only because the second visitor comes at once
  console.log(`${visitor} visitor: ${inWords(cache.lastReport)}, ${ms.toFixed()} ms`)
  console.log(`  ${JSON.stringify(answer)}`)
}

await context.dispose()
await kv.close() // 3: what is on disk is there next time
await llama.dispose()
