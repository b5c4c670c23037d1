import type { Token } from 'node-llama-cpp'
import type { Engine, Settings } from './engine.js'
import { firstTokenMs } from './first-token.js'

/** One setting that was tried. */
export interface Tried extends Settings {
  readonly ms: number
}

/** What was tried, one dial after the other, and what was fastest at last. */
export interface Sweep {
  readonly fastest: Settings
  readonly tried: readonly Tried[]
}

/** Times each setting is tried; the faster one counts. */
const TRIES = 2
/** Threads show on fewer tokens: a slow setting would take many seconds on all. */
const THREAD_TOKENS = 256

/** Finds the engine's fastest way to a cold prompt: threads, then tokens per batch, then flash attention. */
export async function fastestSettings(engine: Engine, prompt: readonly Token[]): Promise<Sweep> {
  const tried: Tried[] = []
  const best = async (tokens: readonly Token[], candidates: readonly Settings[]): Promise<Settings> => {
    const times: Tried[] = []
    for (const settings of candidates) times.push({ ...settings, ms: await timeOf(engine, settings, tokens) })
    tried.push(...times)
    return times.reduce((fastest, next) => (next.ms < fastest.ms ? next : fastest))
  }
  const start = { threads: engine.cores, batchTokens: 512, flashAttention: true }
  const threads = [...new Set([1, Math.ceil(engine.cores / 2), engine.cores])]
  const byThreads = await best(
    prompt.slice(0, THREAD_TOKENS),
    threads.map((count) => ({ ...start, threads: count })),
  )
  const byBatch = await best(
    prompt,
    [256, 512, 2048].map((batchTokens) => ({ ...start, threads: byThreads.threads, batchTokens })),
  )
  const batchTokens = byBatch.batchTokens
  const { threads: fastest, flashAttention } = await best(
    prompt,
    [true, false].map((flash) => ({ threads: byThreads.threads, batchTokens, flashAttention: flash })),
  )
  return { fastest: { threads: fastest, batchTokens, flashAttention }, tried }
}

async function timeOf(engine: Engine, settings: Settings, prompt: readonly Token[]): Promise<number> {
  const sequence = await engine.sequence(settings, { contextTokens: prompt.length + 16 })
  const times: number[] = []
  for (let turn = 0; turn < TRIES; turn++) {
    await sequence.clearHistory()
    times.push(await firstTokenMs(sequence, prompt))
  }
  await sequence.context.dispose()
  return Math.min(...times)
}
