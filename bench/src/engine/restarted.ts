import { fork } from 'node:child_process'
import { once } from 'node:events'
import { kvCacheOf, openKvCache } from '@kvbm/node-llama-cpp'
import type { LlamaContextSequence, Token } from 'node-llama-cpp'
import { Engine, type Settings } from './engine.js'
import { firstTokenAfter, firstTokenMs } from './first-token.js'
import { loadAndAsk } from './load-and-ask.js'
import type { Sample } from './way.js'

/** What a new process is asked, and where it finds what an earlier one knew. */
export interface RestartTask {
  readonly modelPath: string
  readonly settings: Settings
  readonly contextTokens: number
  readonly prefix: readonly Token[]
  readonly tail: readonly Token[]
  /** A cache's directory, or a state file of the prefix. */
  readonly from: { readonly kind: 'cache' | 'state-file'; readonly path: string }
}

/** First argument of the program when it is started to answer one prompt. */
export const RESTARTED = '--restarted'

/** Asks in a process of its own. What it takes to start it and to load the model does not count. */
export async function askAfterRestart(task: RestartTask): Promise<Sample> {
  const child = fork(process.argv[1]!, [RESTARTED, JSON.stringify(task)])
  const answered = once(child, 'message').then(([sample]) => sample as Sample)
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`The process that was to answer ended with ${code ?? signal}, see above.`)
  })
  const sample = await Promise.race([answered, ended])
  await ended.catch(() => undefined)
  return sample
}

/** The process that is started. It has answered something short before, and blocks are open, as in a server. */
export async function playRestarted(task: RestartTask): Promise<number> {
  await using engine = await Engine.load(task.modelPath)
  process.send?.(task.from.kind === 'cache' ? await askCache(engine, task) : await askFile(engine, task))
  process.disconnect?.()
  return 0
}

async function askCache(engine: Engine, task: RestartTask): Promise<Sample> {
  const { settings, contextTokens, prefix, tail, from } = task
  await using kv = await openKvCache({ dir: from.path, modelsMax: 1 })
  const sequence = await engine.sequence(settings, { contextTokens, kv })
  const cache = kvCacheOf(sequence)!
  await warmUp(sequence, tail)
  await cache.settled()
  await sequence.clearHistory()
  const ms = await firstTokenAfter(sequence, [...prefix, ...tail], tail.length)
  await cache.settled()
  await sequence.context.dispose()
  return { ms, restoreMs: cache.lastReport!.restoreMs }
}

async function askFile(engine: Engine, { settings, contextTokens, tail, from }: RestartTask): Promise<Sample> {
  const sequence = await engine.sequence(settings, { contextTokens })
  await warmUp(sequence, tail)
  return loadAndAsk(sequence, { tail, path: from.path })
}

/** Too short for a block, so that a cache neither finds nor keeps anything of it. */
async function warmUp(sequence: LlamaContextSequence, tail: readonly Token[]): Promise<void> {
  await firstTokenMs(sequence, tail.slice(1).reverse())
}
