import { basename } from 'node:path'
import type { KvCache } from '@kvbm/connector'
import type { Llama, LlamaContext, LlamaModel, Token } from 'node-llama-cpp'
import { LlamaDriver } from '../driver/llama-driver.js'
import { ChatTemplate } from './chat-template.js'
import { LlamaServedModel } from './llama-served-model.js'
import { threadCount } from './thread-count.js'

/** What is served, and how the engine is set up for it. */
export interface ServeModelOptions {
  /** A GGUF file. */
  readonly modelPath: string
  /** From `openKvCache`; it stays yours to close, after the model. */
  readonly kv: KvCache
  /** Name in the API. Default: the file's, without `.gguf`. */
  readonly id?: string | undefined
  /** What people must know first, e.g. the label of a random model. Default: nothing. */
  readonly notice?: string | undefined
  /** Tokens of prompt and answer together, in each sequence. Default: what the model was trained on, at most 4096. */
  readonly contextTokens?: number | undefined
  /** Requests that can decode at the same time; each takes the memory of a sequence. Default 4. */
  readonly slots?: number | undefined
  /** Default: physical cores, as the engine counts them, or fewer where this process is given fewer. */
  readonly threads?: number | undefined
  /** Tokens that are evaluated at once. Default 512. */
  readonly batchTokens?: number | undefined
  /** Without it values are stored by channel and cannot be cut into blocks. Default true. */
  readonly flashAttention?: boolean | undefined
  /** `false`: CPU only. Default `auto`: the best that node-llama-cpp has a binary for here. */
  readonly gpu?: 'auto' | false | undefined
  /** An engine of yours, which stays yours to dispose; `gpu` and its thread limit are then yours, too. Default: one is started. */
  readonly llama?: Llama | undefined
  /** Gives up loading. */
  readonly signal?: AbortSignal | undefined
}

const CONTEXT_TOKENS_MAX = 4096
const SLOTS = 4
const BATCH_TOKENS = 512

/** Loads a model and gives it what a server asks for. Rejects when the file cannot be loaded; nothing stays behind then. */
export async function serveModel(options: ServeModelOptions): Promise<LlamaServedModel> {
  const llama = options.llama ?? (await startEngine(options))
  const disposals = options.llama === undefined ? [() => llama.dispose()] : []
  const dispose = async (): Promise<void> => {
    for (let next = disposals.pop(); next !== undefined; next = disposals.pop()) await next()
  }
  try {
    const model = await loadModel(llama, options)
    disposals.push(() => model.dispose())
    const context = await createContext(model, options)
    disposals.push(() => context.dispose())
    const connector = connect(context, options.kv)
    disposals.push(() => connector.close())
    // Opened now: the first request need not wait for it, and what the disk holds shows at once.
    await connector.ready()
    const { resolveChatWrapper } = await import('node-llama-cpp')
    const { id = basename(options.modelPath).replace(/\.gguf$/i, ''), notice = '' } = options
    const template = new ChatTemplate(resolveChatWrapper(model), model)
    return new LlamaServedModel({ id, notice, context, connector, template, dispose })
  } catch (error) {
    await dispose()
    throw error
  }
}

/** Only binaries that are there: to compile an engine while a server starts would surprise. */
async function startEngine({ gpu = 'auto', threads }: ServeModelOptions): Promise<Llama> {
  const { getLlama, LlamaLogLevel } = await import('node-llama-cpp')
  const llama = await getLlama({ gpu, build: 'never', progressLogs: false, logLevel: LlamaLogLevel.error })
  llama.maxThreads = threads ?? threadCount(llama.cpuMathCores)
  return llama
}

async function loadModel(llama: Llama, { modelPath, signal }: ServeModelOptions): Promise<LlamaModel> {
  try {
    return await llama.loadModel(onlyDefined({ modelPath, loadSignal: signal }))
  } catch (cause) {
    signal?.throwIfAborted()
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`${modelPath} cannot be loaded: ${reason} Is it a complete GGUF file that this engine knows?`, {
      cause,
    })
  }
}

function createContext(model: LlamaModel, options: ServeModelOptions): Promise<LlamaContext> {
  const { slots = SLOTS, batchTokens = BATCH_TOKENS, flashAttention = true, signal } = options
  return model.createContext(
    onlyDefined({
      sequences: slots,
      contextSize: options.contextTokens ?? Math.min(model.trainContextSize, CONTEXT_TOKENS_MAX),
      batchSize: batchTokens,
      flashAttention,
      threads: options.threads ?? threadCount(model.llama.cpuMathCores),
      createSignal: signal,
    }),
  )
}

function connect(context: LlamaContext, kv: KvCache) {
  const detokenize = (tokens: Uint32Array): string => context.model.detokenize([...tokens] as Token[], true)
  return kv.connect(new LlamaDriver(context, { pageSize: kv.pageSize }), { detokenize })
}

/** The engine takes no property that is there and undefined. */
function onlyDefined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
}
