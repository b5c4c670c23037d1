// Twenty questions about one document, as a retrieval program asks them: each is a request of its own, and other documents may have
// come in between. The model reads the document once, and in later runs not at all.
import { kvCacheOf, openKvCache, withKvCache } from '@kvbm/node-llama-cpp'
import { getLlama, LlamaChatSession } from 'node-llama-cpp'
import { fromCommandLine } from './support/command-line.js'
import { inWords } from './support/in-words.js'
import { MANUAL, QUESTIONS } from './support/keepers-manual.js'

const { modelPath, dir, threads } = await fromCommandLine()
const llama = await getLlama({ maxThreads: threads })
const model = await llama.loadModel({ modelPath })
const kv = await openKvCache({ dir })
const context = withKvCache(await model.createContext({ contextSize: 2048, flashAttention: true }), kv)
const sequence = context.getSequence()

// The document comes first: what prompts share must be their beginning.
const systemPrompt = `Answer from this document, in one sentence.\n\n${MANUAL}`

/** One request: how much of its prompt was cached, and what it took. */
async function ask(question) {
  await sequence.clearHistory() // what the engine itself still has would help only here
  const session = new LlamaChatSession({ contextSequence: sequence, systemPrompt })
  const started = performance.now()
  const answer = await session.prompt(question, { maxTokens: 24, temperature: 0 })
  const ms = performance.now() - started
  session.dispose()
  await kvCacheOf(sequence).settled()
  return { answer, ms, report: kvCacheOf(sequence).lastReport }
}

const reports = []
for (const question of QUESTIONS) {
  const { answer, ms, report } = await ask(question)
  reports.push(report)
  console.log(`${question.padEnd(36)} ${inWords(report)}, ${ms.toFixed()} ms`)
  console.log(`  ${JSON.stringify(answer)}`)
}

const sum = (name) => reports.reduce((total, report) => total + report[name], 0)
console.log(`together: ${sum('cachedTokens')} of ${sum('promptTokens')} tokens cached`)

await context.dispose()
await kv.close()
await llama.dispose()
