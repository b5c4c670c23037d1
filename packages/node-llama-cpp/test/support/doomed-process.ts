import { getLlama, LlamaLogLevel } from 'node-llama-cpp'
import { kvCacheOf, openKvCache, withKvCache } from '../../src/index.js'
import { words } from './words.js'

/** Which model, where blocks go, and how many prompts. */
const { modelPath, dir, prompts } = JSON.parse(process.argv[2]!) as { modelPath: string; dir: string; prompts: number }

const quiet = { gpu: false, maxThreads: 1, logLevel: LlamaLogLevel.error, progressLogs: false } as const
const llama = await getLlama({ build: 'never', skipDownload: true, ...quiet })
const model = await llama.loadModel({ modelPath })
const kv = await openKvCache({ dir, host: '32MiB', disk: '64MiB' })
const context = withKvCache(await model.createContext({ contextSize: 1280, threads: 1, flashAttention: true }), kv)
const sequence = context.getSequence()
for (let seed = 1; seed <= prompts; seed++) {
  await sequence.clearHistory()
  await sequence.evaluateWithoutGeneratingNewTokens(words(400, seed))
  const captured = kvCacheOf(sequence)!.settled()
  console.log('capturing')
  await captured
}
