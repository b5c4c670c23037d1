import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ggmlType } from '../src/index.js'
import { RANDOM_SHAPES, writeRandomModel } from '../src/models/index.js'
import { noiseVocabulary } from '../src/models/noise-vocabulary.js'
import { randomWeights } from '../src/models/random-weights.js'
import { writeGguf } from '../src/models/write-gguf.js'
import { temporaryDirectory } from './support/temporary-directory.js'

async function digest(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}

test('the same seed gives the same file, bit for bit, on every machine', async () => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'tiny.gguf')
  const sizeBytes = await writeRandomModel(path, { shape: 'tiny' })
  expect((await readFile(path)).length).toBe(sizeBytes)
  expect(await digest(path)).toBe('57474bbef556f3ad69dae5eae0261a8c11b693a781110c4a59767d32f0976659')
})

test('another seed gives other weights of the same size', async () => {
  await using directory = await temporaryDirectory()
  const paths = [1, 2].map((seed) => join(directory.path, `${seed}.gguf`))
  const sizes = await Promise.all(
    paths.map((path, index) => writeRandomModel(path, { shape: 'tiny', seed: index + 1 })),
  )
  expect(sizes[0]).toBe(sizes[1])
  expect(await digest(paths[0]!)).not.toBe(await digest(paths[1]!))
})

test('a shape or seed that does not exist is a RangeError and leaves no file', async () => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'never.gguf')
  await expect(writeRandomModel(path, { shape: 'huge' as 'tiny' })).rejects.toThrow(RangeError)
  await expect(writeRandomModel(path, { shape: 'tiny', seed: -1 })).rejects.toThrow(RangeError)
  await expect(writeRandomModel(path, { shape: 'tiny', seed: 2 ** 32 })).rejects.toThrow(RangeError)
  expect(await readdir(directory.path)).toEqual([])
})

test('a file that fails half-way is not there, nor is its beginning', async () => {
  await using directory = await temporaryDirectory()
  const tensor = {
    name: 'broken',
    dims: [64],
    type: ggmlType(0)!,
    *bytes() {
      yield new Uint8Array(100)
      throw new Error('no more weights')
    },
  }
  const path = join(directory.path, 'broken.gguf')
  await expect(writeGguf(path, { metadata: [], tensors: [tensor] })).rejects.toThrow('no more weights')
  const short = { ...tensor, bytes: () => [new Uint8Array(100)] }
  await expect(writeGguf(path, { metadata: [], tensors: [short] })).rejects.toThrow(
    /broken: 100 bytes given, 256 expected/,
  )
  expect(await readdir(directory.path)).toEqual([])
})

test('weights have the deviation they were asked for, whatever their type', () => {
  for (const [id, decode] of [
    [0, decodeF32],
    [8, decodeQ8],
    [2, decodeQ4],
  ] as const) {
    const tensor = { name: 'w', dims: [4096, 16], type: ggmlType(id)! }
    const values = [...randomWeights(tensor, { seed: 7, deviation: 0.05 })].flatMap(decode)
    expect(values.length).toBe(4096 * 16)
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)
    expect(Math.abs(mean)).toBeLessThan(0.01)
    expect(deviation).toBeGreaterThan(0.048)
    expect(deviation).toBeLessThan(0.052)
  }
})

test('the shapes are those of the models they are named for', () => {
  const kvBytesPerToken = Object.values(RANDOM_SHAPES).map(({ name, shape }) => [
    name,
    shape.layers * 2 * shape.kvHeads * shape.headDim * 2,
  ])
  expect(kvBytesPerToken).toEqual([
    ['tiny', 768],
    ['smol135', 23_040],
    ['llama1b', 32_768],
  ])
})

test('a vocabulary has as many tokens as asked for, all different, and a merge for every word', () => {
  for (const size of [259, 260, 512, 49_152]) {
    const entries = new Map(noiseVocabulary(size))
    const tokens = entries.get('tokenizer.ggml.tokens')!.value as string[]
    const merges = entries.get('tokenizer.ggml.merges')!.value as string[]
    expect(tokens.length).toBe(size)
    expect(new Set(tokens).size).toBe(size)
    expect(merges.map((merge) => merge.replace(' ', ''))).toEqual(tokens.slice(259))
  }
})

function decodeF32(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return Array.from({ length: bytes.length / 4 }, (_, index) => view.getFloat32(index * 4, true))
}

function decodeQ8(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return Array.from({ length: bytes.length / 34 }, (_, block) =>
    Array.from(
      { length: 32 },
      (_, index) => half(view.getUint16(block * 34, true)) * view.getInt8(block * 34 + 2 + index),
    ),
  ).flat()
}

function decodeQ4(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const nibble = (at: number, index: number) => (view.getUint8(at + 2 + (index >> 1)) >> ((index & 1) * 4)) & 15
  return Array.from({ length: bytes.length / 18 }, (_, block) =>
    Array.from({ length: 32 }, (_, index) => half(view.getUint16(block * 18, true)) * (nibble(block * 18, index) - 8)),
  ).flat()
}

function half(bits: number): number {
  return (1 + (bits & 1023) / 1024) * 2 ** ((bits >> 10) - 15)
}
