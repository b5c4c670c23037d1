import { join } from 'node:path'
import type { Llama, LlamaContext, LlamaContextOptions, LlamaModel } from 'node-llama-cpp'
import { writeRandomModel } from '../../src/models/index.js'
import { findEngine } from './engine.js'
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
  readonly modelPath: string
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
    modelPath,
    directory,
    context: (options) => model.createContext({ contextSize: 1280, threads: 1, flashAttention: true, ...options }),
    async [Symbol.asyncDispose]() {
      await model.dispose()
      await directory[Symbol.asyncDispose]()
    },
  }
}
