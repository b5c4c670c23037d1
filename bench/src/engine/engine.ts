import { availableParallelism } from 'node:os'
import { type KvCache, withKvCache } from '@kvbm/node-llama-cpp'
import { resolveModel } from '@kvbm/node-llama-cpp/models'
import {
  getLlama,
  type Llama,
  type LlamaContext,
  type LlamaContextSequence,
  LlamaLogLevel,
  type LlamaModel,
} from 'node-llama-cpp'

/** What makes an engine fast or slow. */
export interface Settings {
  readonly threads: number
  readonly batchTokens: number
  readonly flashAttention: boolean
}

export interface SequenceOptions {
  readonly contextTokens: number
  /** Undefined: no cache. */
  readonly kv?: KvCache | undefined
}

/** One model in the engine, on the CPU. Contexts go with it. */
export class Engine implements AsyncDisposable {
  readonly model: LlamaModel
  readonly label: string
  readonly modelPath: string
  /** Physical cores that this process may use: the most threads that make sense. */
  readonly cores: number
  readonly #llama: Llama
  /** Held and disposed of one by one: for one that was forgotten, the engine would wait for ever when it is disposed of. */
  readonly #contexts = new Set<LlamaContext>()

  private constructor(llama: Llama, model: LlamaModel, { label, path }: { label: string; path: string }) {
    this.#llama = llama
    this.model = model
    this.label = label
    this.modelPath = path
    this.cores = llama.maxThreads
  }

  /** The same references as everywhere: a file, `random:smol135`, … */
  static async load(reference: string): Promise<Engine> {
    const found = await resolveModel(reference, { onMessage: (sentence) => console.error(sentence) })
    const llama = await getLlama({ gpu: false, build: 'never', progressLogs: false, logLevel: LlamaLogLevel.error })
    llama.maxThreads = Math.min(llama.cpuMathCores, availableParallelism())
    return new Engine(llama, await llama.loadModel({ modelPath: found.path }), found)
  }

  /** The only sequence of a new context. */
  async sequence(
    { threads, batchTokens, flashAttention }: Settings,
    { contextTokens, kv }: SequenceOptions,
  ): Promise<LlamaContextSequence> {
    const sizes = { contextSize: contextTokens, batchSize: batchTokens }
    const context = await this.model.createContext({ ...sizes, threads, flashAttention })
    this.#contexts.add(context)
    return (kv === undefined ? context : withKvCache(context, kv)).getSequence()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const context of this.#contexts) await context.dispose()
    await this.#llama.dispose()
  }
}
