import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { LlamaModel, Token } from 'node-llama-cpp'
import { describe, expect, test } from 'vitest'
import { kvCacheOf, openKvCache, withKvCache } from '../src/index.js'
import { modelsDirectory } from '../src/models/index.js'
import { DEFAULT_MODEL } from '../src/models/pinned-model.js'
import { captureBlocks, fileOf, largestDifference, loadBytes, logitsAfter, PAGE } from './support/cut-and-restore.js'
import { findEngine } from './support/engine.js'
import { temporaryDirectory } from './support/temporary-directory.js'

const modelPath = join(modelsDirectory(), DEFAULT_MODEL.fileName)
const engine = await findEngine()
const missing = existsSync(modelPath) ? engine : `no ${DEFAULT_MODEL.fileName} in the models directory`
const why = typeof missing === 'string' ? ` (skipped: ${missing})` : ''

async function withModel(use: (model: LlamaModel) => Promise<void>): Promise<void> {
  if (typeof engine === 'string') throw new Error(engine)
  const model = await engine.loadModel({ modelPath })
  await use(model)
  await model.dispose()
}

describe.skipIf(typeof missing === 'string')(`the default model${why}`, () => {
  test('gives the same logits after its blocks were restored, difference 0; a block has 360 KiB', async () => {
    await using directory = await temporaryDirectory()
    await withModel(async (model) => {
      const context = await model.createContext({ contextSize: 256, sequences: 2, threads: 1, flashAttention: true })
      const [original, restored] = [context.getSequence(), context.getSequence()]
      const tokens = model.tokenize('The quick brown fox jumps over the lazy dog. '.repeat(12)).slice(0, 100)
      const [prefix, tail] = [tokens.slice(0, 5 * PAGE), tokens.slice(5 * PAGE)] as [Token[], Token[]]
      await original.evaluateWithoutGeneratingNewTokens(prefix)
      const captured = await captureBlocks(original, directory.path)
      expect(captured.blocks.map((block) => block.length)).toEqual(Array(5).fill(360 * 1024))
      await loadBytes(restored, fileOf(captured, captured.blocks), directory.path)
      expect(largestDifference(await logitsAfter(original, tail), await logitsAfter(restored, tail))).toBe(0)
      await context.dispose()
    })
  })

  test('a second chat says the same with its beginning from the cache', async () => {
    await withModel(async (model) => {
      const { LlamaChatSession } = await import('node-llama-cpp')
      await using kv = await openKvCache({ host: '128MiB' })
      const options = { contextSize: 512, sequences: 2, threads: 1, flashAttention: true }
      const context = withKvCache(await model.createContext(options), kv)
      const ask = async () => {
        const contextSequence = context.getSequence()
        const systemPrompt = 'You are a helpful guide who knows the capitals of all countries. '.repeat(8)
        const session = new LlamaChatSession({ contextSequence, systemPrompt })
        const text = await session.prompt('What is the capital of France?', { maxTokens: 20 })
        await kvCacheOf(contextSequence)!.settled()
        return { text, cachedTokens: kvCacheOf(contextSequence)!.lastReport!.cachedTokens }
      }
      const [first, second] = [await ask(), await ask()]
      expect([first.cachedTokens, second.cachedTokens > 64]).toEqual([0, true])
      expect(second.text).toBe(first.text)
      await context.dispose()
    })
  })

  test('answers in English', async () => {
    await withModel(async (model) => {
      const { LlamaChatSession } = await import('node-llama-cpp')
      const context = await model.createContext({ contextSize: 256, threads: 1, flashAttention: true })
      const session = new LlamaChatSession({ contextSequence: context.getSequence() })
      const answer = await session.prompt('What is the capital of France?', { maxTokens: 20 })
      expect(answer).toMatch(/Paris/)
      await context.dispose()
    })
  })
})
