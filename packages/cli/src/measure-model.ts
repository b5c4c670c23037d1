import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LlamaModel } from 'node-llama-cpp'
import type { Engine } from './load-engine.js'
import { measurePrefix, type PrefixResult } from './measure-prefix.js'

/** What is measured, and how the engine is set up. */
export interface MeasureOptions {
  readonly modelPath: string
  readonly prefixes: readonly number[]
  readonly rounds: number
  /** Default: physical cores. */
  readonly threads: number | undefined
  readonly batchTokens: number
  readonly gpu: 'auto' | false
  readonly onRound: (prefixTokens: number, round: number) => void
}

/** Plain JSON. */
export interface Measured {
  readonly device: string
  readonly threads: number
  readonly prefixes: readonly PrefixResult[]
}

/** Loads the model and measures every prefix. What it writes lies in a temporary directory that is removed. */
export async function measureModel(engine: Engine, options: MeasureOptions): Promise<Measured> {
  const { getLlama, LlamaLogLevel } = engine.llama
  const { gpu, modelPath } = options
  const llama = await getLlama({ gpu, build: 'never', progressLogs: false, logLevel: LlamaLogLevel.error })
  const directory = await mkdtemp(join(tmpdir(), 'kvbm-bench-'))
  try {
    const threads = options.threads ?? Math.min(llama.cpuMathCores, availableParallelism())
    llama.maxThreads = threads
    const model = await llama.loadModel({ modelPath })
    const prefixes = await measureEach(engine, model, { ...options, threads, directory })
    return { device: llama.gpu === false ? 'CPU' : `GPU (${llama.gpu})`, threads, prefixes }
  } finally {
    await llama.dispose()
    await rm(directory, { recursive: true, force: true })
  }
}

async function measureEach(
  engine: Engine,
  model: LlamaModel,
  { prefixes, onRound, ...setup }: MeasureOptions & { readonly threads: number; readonly directory: string },
): Promise<PrefixResult[]> {
  const results: PrefixResult[] = []
  for (const prefixTokens of prefixes) {
    const told = { prefixTokens, onRound: (round: number) => onRound(prefixTokens, round) }
    results.push(await measurePrefix(engine, model, { ...setup, ...told }))
  }
  return results
}
