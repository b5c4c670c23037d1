import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { blockBytes } from '@kvbm/core'
import type { LlamaContextSequence, Token } from 'node-llama-cpp'
import { describe, expect, test } from 'vitest'
import { blockShapeOf, memorySource, parseStateFile, planCapture, planRestore } from '../src/index.js'
import { convertLlama2c } from '../src/models/index.js'
import { assemble, emptyBlocks, scatter } from './support/block-copies.js'
import { findEngine } from './support/engine.js'
import { findStories } from './support/stories.js'
import { temporaryDirectory } from './support/temporary-directory.js'

/** A model of the llama2.c format with counted weights. */
function checkpoint({ vocabulary = 4, extraFloats = 0 } = {}): Buffer {
  const [dim, ffn, layers, heads, kvHeads, context] = [4, 6, 2, 2, 1, 8]
  const kvDim = (dim / heads) * kvHeads
  const perLayer = dim * 2 + dim * dim * 2 + dim * kvDim * 2 + dim * ffn * 3
  const words = Math.abs(vocabulary)
  const floats = words * dim * (vocabulary < 0 ? 2 : 1) + layers * perLayer + dim + context * (dim / heads)
  const bytes = Buffer.alloc(28 + (floats + extraFloats) * 4)
  for (const [index, value] of [dim, ffn, layers, heads, kvHeads, vocabulary, context].entries())
    bytes.writeInt32LE(value, index * 4)
  for (let index = 0; index < floats; index++) bytes.writeFloatLE(index, 28 + index * 4)
  return bytes
}

function tokenizer(pieces: readonly string[]): Buffer {
  const parts = pieces.map((piece, index) => {
    const text = Buffer.from(piece)
    const head = Buffer.alloc(8)
    head.writeFloatLE(-index, 0)
    head.writeInt32LE(text.length, 4)
    return Buffer.concat([head, text])
  })
  return Buffer.concat([Buffer.from([8, 0, 0, 0]), ...parts])
}

async function convert(model: Buffer, vocabulary: Buffer): Promise<Buffer> {
  await using directory = await temporaryDirectory()
  const files = { checkpoint: join(directory.path, 'model.bin'), tokenizer: join(directory.path, 'tok.bin') }
  await Promise.all([writeFile(files.checkpoint, model), writeFile(files.tokenizer, vocabulary)])
  await convertLlama2c(files, join(directory.path, 'model.gguf'))
  return readFile(join(directory.path, 'model.gguf'))
}

describe('a llama2.c model becomes a GGUF file', () => {
  const pieces = ['<unk>', '\n<s>\n', '\n</s>\n', ' a']

  test('with every weight once, in tensors aligned to 32 bytes', async () => {
    const shared = await convert(checkpoint(), tokenizer(pieces))
    const separate = await convert(checkpoint({ vocabulary: -4 }), tokenizer(pieces))
    expect(shared.includes('▁a')).toBe(true)
    expect(shared.includes('output.weight')).toBe(true)
    expect(separate.length - shared.length).toBeGreaterThan(4 * 4 * 4)
    expect(shared.length % 32).toBe(0)
  })

  test('unless its size is not what its header promises', async () => {
    await expect(convert(checkpoint({ extraFloats: 1 }), tokenizer(pieces))).rejects.toThrow(/its header promises/)
    await expect(convert(checkpoint().subarray(0, 20), tokenizer(pieces))).rejects.toThrow(RangeError)
    const absurd = checkpoint()
    absurd.writeInt32LE(0x7fff_ffff, 8)
    await expect(convert(absurd, tokenizer(pieces))).rejects.toThrow(RangeError)
  })

  test('unless its vocabulary is cut short or lies about a length', async () => {
    const whole = tokenizer(pieces)
    for (let length = 0; length < whole.length; length++)
      await expect(convert(checkpoint(), whole.subarray(0, length)), `cut at ${length}`).rejects.toThrow(RangeError)
    const lying = Buffer.from(whole)
    lying.writeInt32LE(-1, 8)
    await expect(convert(checkpoint(), lying)).rejects.toThrow(RangeError)
  })
})

const stories = findStories()
const engine = await findEngine()
const missing = [stories, engine].filter((found) => typeof found === 'string').join('; ')

describe.skipIf(missing !== '')(`the trained stories260K${missing && ` (skipped: ${missing})`}`, () => {
  test('tells the same story with its first blocks restored into another sequence', async () => {
    if (typeof stories === 'string' || typeof engine === 'string') return
    await using directory = await temporaryDirectory()
    const modelPath = join(directory.path, 'stories.gguf')
    await convertLlama2c(stories, modelPath)
    const model = await engine.loadModel({ modelPath })
    const context = await model.createContext({ contextSize: 512, sequences: 2, threads: 1, flashAttention: true })
    const [original, restored] = [context.getSequence(), context.getSequence()]
    const opening = 'Once upon a time, there was a little girl named Lily. She loved to play outside in the park.'
    const tokens = [model.tokens.bos!, ...model.tokenize(opening)]
    const covered = Math.floor((tokens.length - 1) / 16) * 16

    await original.evaluateWithoutGeneratingNewTokens(tokens.slice(0, covered))
    const path = join(directory.path, 'state')
    await original.saveStateToFile(path)
    const bytes = await readFile(path)
    const result = parseStateFile(memorySource(bytes))
    if (!result.ok) throw new Error(result.detail)
    const shape = blockShapeOf(result.file.geometry, 16)
    const blocks = emptyBlocks(covered / 16, blockBytes(shape))
    scatter(planCapture(result.file, { pageSize: 16, fromBlock: 0, toBlock: covered / 16 }), bytes, blocks)
    const plan = planRestore({
      geometry: result.file.geometry,
      pageSize: 16,
      tokens: Uint32Array.from(tokens.slice(0, covered)),
      streams: 2,
    })
    await writeFile(path, assemble(plan, blocks))
    await restored.loadStateFromFile(path, { acceptRisk: true })

    const story = await tell(original, tokens.slice(covered))
    expect(await tell(restored, tokens.slice(covered))).toEqual(story)
    expect(model.detokenize(story)).toMatch(/\b(Lily|she|park|mom|friend|happy)\b/)
    expect(blockBytes(shape)).toBe(10 * 1024)
    await context.dispose()
    await model.dispose()
  })
})

async function tell(sequence: LlamaContextSequence, input: Token[]): Promise<Token[]> {
  const story: Token[] = []
  for await (const token of sequence.evaluate(input)) if (story.push(token) === 60) break
  return story
}
