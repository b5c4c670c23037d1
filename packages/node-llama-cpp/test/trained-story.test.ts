import { join } from 'node:path'
import type { LlamaContextSequence, LlamaModel } from 'node-llama-cpp'
import { describe, expect, test } from 'vitest'
import { openKvCache, withKvCache } from '../src/index.js'
import { convertLlama2c } from '../src/models/index.js'
import { answer, cacheOf } from './support/sequences.js'
import { findStories } from './support/stories.js'
import { temporaryDirectory } from './support/temporary-directory.js'
import { engine } from './support/tiny-engine.js'

const stories = findStories()
const missing = [engine, stories].find((one) => typeof one === 'string')
const why = missing === undefined ? '' : ` (skipped: ${missing})`

describe.skipIf(missing !== undefined)(`a small trained model${why}`, () => {
  test('tells the same story, word for word, when its beginning comes from disk after a restart', async () => {
    if (typeof engine === 'string' || typeof stories === 'string') throw new Error(why)
    await using directory = await temporaryDirectory()
    const modelPath = join(directory.path, 'stories.gguf')
    await convertLlama2c(stories, modelPath)
    const model = await engine.loadModel({ modelPath })
    const beginning = model.tokenize(
      'Once upon a time there was a little girl named Lily. She went to the park. '.repeat(4),
    )
    const tell = async (sequence: LlamaContextSequence): Promise<string> =>
      model.detokenize(await answer(sequence, beginning, 80))
    const expected = await withPlain(model, tell)
    for (const cachedTokens of [0, Math.floor((beginning.length - 1) / 16) * 16]) {
      await using kv = await openKvCache({ dir: join(directory.path, 'kv'), host: '16MiB', disk: '64MiB' })
      const sequence = withKvCache(await model.createContext({ threads: 1, flashAttention: true }), kv).getSequence()
      expect(await tell(sequence)).toBe(expected)
      expect(cacheOf(sequence).lastReport?.cachedTokens).toBe(cachedTokens)
      await sequence.context.dispose()
    }
    await model.dispose()
  })
})

async function withPlain(model: LlamaModel, use: (sequence: LlamaContextSequence) => Promise<string>): Promise<string> {
  const context = await model.createContext({ threads: 1, flashAttention: true })
  const text = await use(context.getSequence())
  await context.dispose()
  return text
}
