import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { blockBytes } from '@kvbm/core'
import type { LlamaContextSequence, LlamaModel, Token } from 'node-llama-cpp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  blockShapeOf,
  memorySource,
  parseStateFile,
  planCapture,
  planRestore,
  type StateFile,
  type StateGeometry,
} from '../src/index.js'
import { writeRandomModel } from '../src/models/index.js'
import { assemble, emptyBlocks, scatter } from './support/block-copies.js'
import { findEngine } from './support/engine.js'
import { range } from './support/state-file-text.js'
import { type TemporaryDirectory, temporaryDirectory } from './support/temporary-directory.js'

const PAGE = 16
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

  async function saved(sequence: LlamaContextSequence): Promise<Uint8Array> {
    const path = join(directory.path, 'saved.state')
    await sequence.saveStateToFile(path)
    return readFile(path)
  }

  async function load(sequence: LlamaContextSequence, bytes: Uint8Array): Promise<void> {
    const path = join(directory.path, 'assembled.state')
    await writeFile(path, bytes)
    await sequence.loadStateFromFile(path, { acceptRisk: true })
  }

  async function logitsAfter(sequence: LlamaContextSequence, input: Token[]): Promise<Map<Token, number>> {
    const last = input.length - 1
    const results = await sequence.controlledEvaluate(
      input.map((token, index) => (index === last ? [token, { generateNext: { logits: true } }] : token)),
    )
    return results[last]!.next.logits!
  }

  function largestDifference(a: Map<Token, number>, b: Map<Token, number>): number {
    expect(a.size).toBe(512)
    expect([...b.keys()].sort()).toEqual([...a.keys()].sort())
    return Math.max(...[...a].map(([token, logit]) => Math.abs(logit - b.get(token)!)))
  }

  function parsed(bytes: Uint8Array): StateFile {
    const result = parseStateFile(memorySource(bytes))
    if (!result.ok) throw new Error(`${result.reason}: ${result.detail}`)
    return result.file
  }

  function cut(file: StateFile, bytes: Uint8Array): Uint8Array[] {
    const count = Math.floor(file.tokens.length / PAGE)
    const blocks = emptyBlocks(count, blockBytes(blockShapeOf(file.geometry, PAGE)))
    scatter(planCapture(file, { pageSize: PAGE, fromBlock: 0, toBlock: count }), bytes, blocks)
    return blocks
  }

  function put(geometry: StateGeometry, blocks: Uint8Array[], streams: number): Uint8Array {
    const covered = Uint32Array.from(prefix.slice(0, blocks.length * PAGE))
    return assemble(planRestore({ geometry, pageSize: PAGE, tokens: covered, streams }), blocks)
  }

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
      const bytes = await saved(original)
      const file = parsed(bytes)
      const blocks = cut(file, bytes)

      expect(file.geometry.key.type.name).toBe(row.kv)
      expect(blocks.map((block) => block.length)).toEqual(Array(5).fill(row.blockBytes))
      expect([...file.tokens]).toEqual(prefix)
      expect(file.streams).toBe(2)
      const assembled = put(file.geometry, blocks, 2)
      expect(Buffer.compare(assembled, bytes)).toBe(0)

      await load(restored, assembled)
      expect(restored.contextTokens).toEqual(prefix)
      const before = restored.tokenMeter.getState()
      const control = await logitsAfter(original, tail)
      expect(largestDifference(control, await logitsAfter(restored, tail))).toBe(0)
      const { usedInputTokens, usedOutputTokens } = restored.tokenMeter.diff(before)
      expect(usedInputTokens + usedOutputTokens).toBe(tail.length)

      const damaged = blocks.map((block) => Uint8Array.from(block))
      damaged[2]!.fill(0, 0, 200)
      await load(restored, put(file.geometry, damaged, 2))
      expect(largestDifference(control, await logitsAfter(restored, tail))).toBeGreaterThan(0)
      await context.dispose()
    },
  )

  test('blocks go from the last of three sequences into the first, over what it held', async () => {
    const context = await model.createContext({ contextSize: 256, sequences: 3, threads: 1, flashAttention: true })
    const [first, , last] = [context.getSequence(), context.getSequence(), context.getSequence()]
    await first.evaluateWithoutGeneratingNewTokens(tokens.slice(7, 40))
    await last.evaluateWithoutGeneratingNewTokens(prefix)
    const bytes = await saved(last)
    const file = parsed(bytes)
    await load(first, put(file.geometry, cut(file, bytes), 3))
    const expected = await logitsAfter(last, tail)
    expect(largestDifference(expected, await logitsAfter(first, tail))).toBe(0)
    await context.dispose()
  })

  test('fewer blocks than were captured give the state of the shorter prefix', async () => {
    const context = await model.createContext({ contextSize: 256, sequences: 2, threads: 1, flashAttention: true })
    const [original, restored] = [context.getSequence(), context.getSequence()]
    await original.evaluateWithoutGeneratingNewTokens(prefix)
    const bytes = await saved(original)
    const file = parsed(bytes)
    await load(restored, put(file.geometry, cut(file, bytes).slice(0, 4), 2))
    await original.eraseContextTokenRanges([{ start: 64, end: 80 }])
    const rest = tokens.slice(64)
    expect(largestDifference(await logitsAfter(original, rest), await logitsAfter(restored, rest))).toBe(0)
    await context.dispose()
  })

  test('without flash attention values are transposed: refused', async () => {
    const context = await model.createContext({ contextSize: 256, threads: 1, flashAttention: false })
    const sequence = context.getSequence()
    await sequence.evaluateWithoutGeneratingNewTokens(prefix)
    expect(parseStateFile(memorySource(await saved(sequence)))).toMatchObject({ ok: false, reason: 'v-transposed' })
    await context.dispose()
  })

  test('any text comes back from the invented vocabulary as it was', () => {
    for (const text of ['Hello, Wörld! 🎉\n  two  spaces\tTab 123', ' bada koru', '', '\u0000\u0007'])
      expect(model.detokenize(model.tokenize(text))).toBe(text)
    const words = range(253).map((index) => index + 259) as Token[]
    expect(model.tokenize(model.detokenize(words))).toEqual(words)
  })
})
