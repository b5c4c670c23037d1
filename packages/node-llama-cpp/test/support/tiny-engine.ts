import { join } from 'node:path'
import type { Llama, LlamaContext, LlamaContextOptions, LlamaModel, Token } from 'node-llama-cpp'
import { writeRandomModel } from '../../src/models/index.js'
import { findEngine } from './engine.js'
import { range } from './state-file-text.js'
import { type TemporaryDirectory, temporaryDirectory } from './temporary-directory.js'

/** The engine, or the reason why tests of it are skipped. One for each test file. */
export const engine = await findEngine()
/** For the name of a `describe.skipIf(isMissing)`. */
export const why = typeof engine === 'string' ? ` (skipped: ${engine})` : ''
export const isMissing = typeof engine === 'string'

/** A tiny random model in the engine, and a directory beside it. */
export interface TinyEngine extends AsyncDisposable {
  readonly llama: Llama
  readonly model: LlamaModel
  readonly directory: TemporaryDirectory
  context(options?: LlamaContextOptions): Promise<LlamaContext>
}

/** Another seed is another model of the same shape. */
export async function tinyEngine({ seed = 1 } = {}): Promise<TinyEngine> {
  if (typeof engine === 'string') throw new Error(engine)
  const directory = await temporaryDirectory()
  const modelPath = join(directory.path, 'tiny.gguf')
  await writeRandomModel(modelPath, { shape: 'tiny', seed })
  const model = await engine.loadModel({ modelPath })
  return {
    llama: engine,
    model,
    directory,
    context: (options) => model.createContext({ contextSize: 1280, threads: 1, flashAttention: true, ...options }),
    async [Symbol.asyncDispose]() {
      await model.dispose()
      await directory[Symbol.asyncDispose]()
    },
  }
}

/** `count` words of the tiny model's vocabulary; a longer prompt of one seed goes on from a shorter one. */
export function words(count: number, seed = 1): Token[] {
  return range(count).map((index) => ((index * 37 + seed * 101 + ((index * seed) % 13)) % 250) + 259) as Token[]
}
