import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LlamaModel, Token } from 'node-llama-cpp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { memorySource, parseStateFile } from '../src/index.js'
import { writeRandomModel } from '../src/models/index.js'
import { captureBlocks, fileOf, largestDifference, loadBytes, logitsAfter } from './support/cut-and-restore.js'
import { findEngine } from './support/engine.js'
import { range } from './support/state-file-text.js'
import { type TemporaryDirectory, temporaryDirectory } from './support/temporary-directory.js'

const engine = await findEngine()
const why = typeof engine === 'string' ? ` (skipped: ${engine})` : ''

describe.skipIf(typeof engine === 'string')(`state files of the real engine${why}`, () => {
  let directory: TemporaryDirectory
  let model: LlamaModel

  beforeAll(async () => {
    if (typeof engine === 'string') return
    directory = await temporaryDirectory()
    const modelPath = join(directory.path, 'tiny.gguf')
    await writeRandomModel(modelPath, { shape: 'tiny' })
    model = await engine.loadModel({ modelPath })
  })

  afterAll(async () => {
    await model?.dispose()
    await directory?.[Symbol.asyncDispose]()
  })

  const tokens = range(115).map((index) => ((index * 37 + 11) % 500) + 3) as Token[]
  const prefix = tokens.slice(0, 80)
  const tail = tokens.slice(80)

  test.each([
    { kv: 'F16', blockBytes: 3 * 2 * 16 * 128, threads: 1 },
    { kv: 'F16', blockBytes: 3 * 2 * 16 * 128, threads: 2 },
    { kv: 'F32', blockBytes: 3 * 2 * 16 * 256, threads: 1 },
    { kv: 'Q8_0', blockBytes: 3 * 2 * 16 * 68, threads: 1 },
  ] as const)(
    '$kv KV, $threads threads: logits after a restore equal those of the same split, difference 0',
    async (row) => {
      const context = await model.createContext({
        contextSize: 256,
        sequences: 2,
        threads: row.threads,
        flashAttention: true,
        experimentalKvCacheKeyType: row.kv,
        experimentalKvCacheValueType: row.kv,
      })
      const [original, restored] = [context.getSequence(), context.getSequence()]
      await original.evaluateWithoutGeneratingNewTokens(prefix)
      const captured = await captureBlocks(original, directory.path)

      expect(captured.file.geometry.key.type.name).toBe(row.kv)
      expect(captured.blocks.map((block) => block.length)).toEqual(Array(5).fill(row.blockBytes))
      expect([...captured.file.tokens]).toEqual(prefix)
      expect(captured.file.streams).toBe(2)
      const assembled = fileOf(captured, captured.blocks)
      expect(Buffer.compare(assembled, captured.bytes)).toBe(0)

      await loadBytes(restored, assembled, directory.path)
      expect(restored.contextTokens).toEqual(prefix)
      const before = restored.tokenMeter.getState()
      const control = await logitsAfter(original, tail)
      expect(control.size).toBe(512)
      expect(largestDifference(control, await logitsAfter(restored, tail))).toBe(0)
      const { usedInputTokens, usedOutputTokens } = restored.tokenMeter.diff(before)
      expect(usedInputTokens + usedOutputTokens).toBe(tail.length)

      const damaged = captured.blocks.map((block) => Uint8Array.from(block))
      damaged[2]!.fill(0, 0, 200)
      await loadBytes(restored, fileOf(captured, damaged), directory.path)
      expect(largestDifference(control, await logitsAfter(restored, tail))).toBeGreaterThan(0)
      await context.dispose()
    },
  )

  test('blocks go from the last of three sequences into the first, over what it held', async () => {
    const context = await model.createContext({ contextSize: 256, sequences: 3, threads: 1, flashAttention: true })
    const [first, , last] = [context.getSequence(), context.getSequence(), context.getSequence()]
    await first.evaluateWithoutGeneratingNewTokens(tokens.slice(7, 40))
    await last.evaluateWithoutGeneratingNewTokens(prefix)
    const captured = await captureBlocks(last, directory.path)
    await loadBytes(first, fileOf(captured, captured.blocks), directory.path)
    const expected = await logitsAfter(last, tail)
    expect(largestDifference(expected, await logitsAfter(first, tail))).toBe(0)
    await context.dispose()
  })

  test('fewer blocks than were captured give the state of the shorter prefix', async () => {
    const context = await model.createContext({ contextSize: 256, sequences: 2, threads: 1, flashAttention: true })
    const [original, restored] = [context.getSequence(), context.getSequence()]
    await original.evaluateWithoutGeneratingNewTokens(prefix)
    const captured = await captureBlocks(original, directory.path)
    await loadBytes(restored, fileOf(captured, captured.blocks.slice(0, 4)), directory.path)
    await original.eraseContextTokenRanges([{ start: 64, end: 80 }])
    const rest = tokens.slice(64)
    expect(largestDifference(await logitsAfter(original, rest), await logitsAfter(restored, rest))).toBe(0)
    await context.dispose()
  })

  test('without flash attention values are transposed: refused', async () => {
    const context = await model.createContext({ contextSize: 256, threads: 1, flashAttention: false })
    const sequence = context.getSequence()
    await sequence.evaluateWithoutGeneratingNewTokens(prefix)
    const path = join(directory.path, 'transposed.state')
    await sequence.saveStateToFile(path)
    expect(parseStateFile(memorySource(await readFile(path)))).toMatchObject({ ok: false, reason: 'v-transposed' })
    await context.dispose()
  })

  test('any text comes back from the invented vocabulary as it was', () => {
    for (const text of ['Hello, Wörld! 🎉\n  two  spaces\tTab 123', ' bada koru', '', '\u0000\u0007'])
      expect(model.detokenize(model.tokenize(text))).toBe(text)
    const words = range(253).map((index) => index + 259) as Token[]
    expect(model.tokenize(model.detokenize(words))).toEqual(words)
  })
})
