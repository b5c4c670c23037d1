// Eight agents with one list of tools in front of their own orders. The first one computes the list, the others get it.
import { kvCacheOf, openKvCache, withKvCache } from '@kvbm/node-llama-cpp'
import { getLlama, LlamaChatSession } from 'node-llama-cpp'
import { fromCommandLine } from './support/command-line.js'
import { inWords } from './support/in-words.js'

const ROLES = ['planner', 'searcher', 'reader', 'coder', 'tester', 'critic', 'writer', 'editor']
const TOOLS = ['search', 'open', 'read', 'write', 'move', 'delete', 'run', 'test', 'commit', 'ask']
const PREAMBLE = `You act through tools. Answer with one call, as JSON.\n${TOOLS.map(describe).join('\n')}`

function describe(name) {
  const path = { type: 'string', description: 'where, relative to the project' }
  return JSON.stringify({ name, description: `${name} something`, parameters: { path, limit: { type: 'integer' } } })
}

const { modelPath, dir, threads } = await fromCommandLine()
const llama = await getLlama({ maxThreads: threads })
const model = await llama.loadModel({ modelPath })
const kv = await openKvCache({ dir })
const sequences = ROLES.length
const context = withKvCache(await model.createContext({ sequences, contextSize: 2048, flashAttention: true }), kv)

/** One turn of one agent, in a sequence of its own. */
async function act(role) {
  const systemPrompt = `${PREAMBLE}\nYou are the ${role}.`
  const session = new LlamaChatSession({ contextSequence: context.getSequence(), systemPrompt })
  await session.prompt('Begin.', { maxTokens: 16, temperature: 0 })
  const cache = kvCacheOf(session.sequence)
  await cache.settled()
  const { cachedTokens, prefillMs, restoreMs } = cache.lastReport
  console.log(`${role.padEnd(8)} ${inWords(cache.lastReport)}, ${(restoreMs + prefillMs).toFixed()} ms to read`)
  return cachedTokens
}

let spared = 0
for (const role of ROLES) if ((await act(role)) > 0) spared++
console.log(`${spared} of ${ROLES.length} agents did not compute the tools`)

await context.dispose()
await kv.close()
await llama.dispose()
