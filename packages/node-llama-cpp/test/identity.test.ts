import { copyFile, open, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LlamaModelOptions } from 'node-llama-cpp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kvCacheOf, LlamaDriver, openKvCache, withKvCache } from '../src/index.js'
import { isMissing, type TinyEngine, tinyEngine, why } from './support/tiny-engine.js'

type Facts = LlamaDriver['identity']['facts']
/** Nothing that a file system rounds. */
const TIME = new Date('2026-01-02T03:04:05Z')

describe.skipIf(isMissing)(`which blocks are the same${why}`, () => {
  let tiny: TinyEngine
  let original: Facts

  beforeAll(async () => {
    tiny = await tinyEngine()
    original = await factsOf(await copied('original.gguf'))
  })
  afterAll(() => tiny?.[Symbol.asyncDispose]())

  async function copied(name: string): Promise<string> {
    const path = join(tiny.directory.path, name)
    await copyFile(tiny.modelPath, path)
    await utimes(path, TIME, TIME)
    return path
  }

  async function factsOf(modelPath: string, options: Partial<LlamaModelOptions> = {}, context = {}): Promise<Facts> {
    const model = await tiny.llama.loadModel({ modelPath, ...options })
    const created = await model.createContext({ contextSize: 256, threads: 1, flashAttention: true, ...context })
    const { identity } = new LlamaDriver(created, { pageSize: 16 })
    await model.dispose()
    return identity.facts
  }

  test('a copy under another name, in a context of another size, batch and number of sequences', async () => {
    const copy = await copied('copy.gguf')
    expect(await factsOf(copy, {}, { contextSize: 512, batchSize: 128, sequences: 3 })).toEqual(original)
  })

  test('not the same weights with one tensor changed, though size, time and header are', async () => {
    const { tensorInfo } = tiny.model.fileInfo
    const { fileOffset } = tensorInfo!.find(({ name }) => name === 'blk.1.ffn_up.weight')!
    const path = await copied('tuned.gguf')
    const file = await open(path, 'r+')
    await file.write(new Uint8Array(64).fill(1), 0, 64, Number(fileOffset) + 64)
    await file.close()
    await utimes(path, TIME, TIME)
    const { modelSha256, ...rest } = await factsOf(path)
    const { modelSha256: before, ...others } = original
    expect(rest).toEqual(others)
    expect(modelSha256).not.toBe(before)
  })

  test('not with another adapter file under the same name', async () => {
    const path = join(tiny.directory.path, 'style.gguf')
    const context = await tiny.context({ contextSize: 256 })
    // What the engine keeps there for a loaded adapter.
    Object.defineProperty(context, '_loraAdapters', { value: new Set([{ filePath: path, usages: 1 }]) })
    const lorasWith = async (bytes: Uint8Array): Promise<readonly string[]> => {
      await writeFile(path, bytes)
      await utimes(path, TIME, TIME)
      return new LlamaDriver(context, { pageSize: 16, loras: ['style.gguf@0.5'] }).identity.loras
    }
    const first = await lorasWith(new Uint8Array(100_000))
    expect(first).toEqual(['style.gguf@0.5', expect.stringMatching(/^files:[0-9a-f]{64}$/)])
    expect(await lorasWith(new Uint8Array(100_000))).toEqual(first)
    expect(await lorasWith(new Uint8Array(100_000).fill(1))).not.toEqual(first)
    expect(await lorasWith(new Uint8Array(100_001))).not.toEqual(first)
    await writeFile(path, '').then(() => rm(path))
    expect(new LlamaDriver(context, { pageSize: 16, loras: ['style.gguf@0.5'] }).supports()).toMatchObject({
      ok: false,
    })
    Object.defineProperty(context, '_loraAdapters', { value: new Set() })
    await context.dispose()
  })

  test('not for tenants and adapters that are no text: they are refused at the door', async () => {
    await using kv = await openKvCache({ host: '32MiB' })
    const context = await tiny.context({ contextSize: 256 })
    const wrong = 7 as unknown as string
    expect(() => withKvCache(context, kv, { tenant: wrong })).toThrow(/^tenant: expected a string/)
    expect(() => withKvCache(context, kv, { loras: 'style.gguf' as never })).toThrow(/loras: expected an array/)
    const sequence = withKvCache(context, kv).getSequence()
    expect(() => {
      kvCacheOf(sequence)!.settings = { tenant: wrong }
    }).toThrow(TypeError)
    await context.dispose()
    expect(kv.status()).toMatchObject({ contexts: 0 })
  })

  test('not a file of another time', async () => {
    const path = await copied('later.gguf')
    await utimes(path, TIME, new Date(TIME.getTime() + 5000))
    expect(await factsOf(path)).toEqual({ ...original, modelModified: Number(original.modelModified) + 5 })
  })

  test('not with other RoPE settings, KV types, or a context beyond what the model was trained on', async () => {
    const path = await copied('same.gguf')
    const rope = await factsOf(path, { metadataOverrides: { llama: { rope: { freq_base: 5000 } } } as never })
    expect(rope).toEqual({ ...original, settings: rope.settings })
    expect(rope.settings).not.toBe(original.settings)
    const quantised = await factsOf(path, {}, { experimentalKvCacheKeyType: 'Q8_0' })
    expect(quantised).toEqual({ ...original, keyType: 8 })
    const plain = await factsOf(path, {}, { flashAttention: false })
    expect(plain).toEqual({ ...original, flashAttention: false })
    expect(original).toMatchObject({ flashAttention: true, gpuLayers: 0 })
    const long = await factsOf(path, {}, { contextSize: 8192 })
    expect(long).toEqual({ ...original, extendedRope: true })
  })
})
