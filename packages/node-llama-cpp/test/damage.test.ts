/* Trap 7.4: the engine kills the process over a truncated state file and takes altered bytes for good ones. Nothing of that gets there. */
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LlamaContextSequence, Token } from 'node-llama-cpp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cachedWorld } from './support/cached-world.js'
import { answer, cacheOf, fill } from './support/sequences.js'
import { temporaryDirectory } from './support/temporary-directory.js'
import { isMissing, type TinyEngine, tinyEngine, why } from './support/tiny-engine.js'
import { words } from './support/words.js'

const PROMPT = words(200)

describe.skipIf(isMissing)(`trap 7.4: damage is a miss${why}`, () => {
  let tiny: TinyEngine
  let cold: Token[]

  beforeAll(async () => {
    tiny = await tinyEngine()
    const context = await tiny.context()
    cold = await answer(context.getSequence(), PROMPT)
    await context.dispose()
  })
  afterAll(() => tiny?.[Symbol.asyncDispose]())

  /** What the engine saves comes out otherwise. */
  function spoilSaves(sequence: LlamaContextSequence, spoil: (state: Buffer) => Uint8Array): void {
    const save = sequence.saveStateToFile.bind(sequence)
    sequence.saveStateToFile = async (path) => {
      const saved = await save(path)
      const spoilt = spoil(await readFile(path))
      truncateSync(path, 0)
      await writeFile(path, spoilt)
      return saved
    }
  }

  const word = (state: Buffer, at: number, value: number): Buffer => {
    state.writeUInt32LE(value, at)
    return state
  }
  const spoilings: [string, string, (state: Buffer) => Uint8Array][] = [
    ['cut off in the middle of its rows', 'slot-moved', (state) => state.subarray(0, state.length >> 1)],
    ['cut off in its head', 'slot-moved', (state) => state.subarray(0, 7)],
    ['empty', 'slot-moved', () => new Uint8Array(0)],
    ['foreign', 'declined', (state) => word(state, 0, 0x6767736e)],
    ['of another version', 'declined', (state) => word(state, 4, 4)],
    ['of other tokens', 'slot-moved', (state) => word(state, 12 + 4 * 50, 300)],
    ['followed by a second cache', 'declined', (state) => Buffer.concat([state, state.subarray(0, 400)])],
    ['full of counts that cannot be', 'slot-moved', (state) => word(state, 8, 0x7fffffff)],
  ]

  test.each(spoilings)('a state that is saved %s is not captured: %s', async (_, reason, spoil) => {
    await using world = await cachedWorld(tiny)
    const context = await world.cached()
    const [first, second] = [context.getSequence(), context.getSequence()]
    spoilSaves(first, spoil)
    await answer(first, PROMPT)
    await cacheOf(first).settled()
    const { captures, capturedBlocks, skips } = world.kv.status().counters
    expect({ captures, capturedBlocks }).toEqual({ captures: 0, capturedBlocks: 0 })
    expect(skips[reason as 'declined']).toBeGreaterThan(0)
    expect(await answer(second, PROMPT)).toEqual(cold)
    expect(cacheOf(second).lastReport?.cachedTokens).toBe(0)
  })

  /** The files that hold the bytes of blocks. */
  function dataFiles(directory: string): string[] {
    const all = readdirSync(directory, { recursive: true, withFileTypes: true })
    const files = all.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    return files.filter((path) => statSync(path).size > 100_000)
  }

  test.each([
    ['flipped bits in every block', (bytes: Buffer) => flip(bytes, 1024)],
    ['zeros', (bytes: Buffer) => bytes.fill(0)],
    ['files cut in half', (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1)],
  ])('on disk: %s are a miss, and the prompt is answered', async (_, spoil) => {
    await using directory = await temporaryDirectory()
    {
      await using world = await cachedWorld(tiny, { dir: directory.path })
      await fill(await world.cached(), PROMPT)
    }
    for (const path of dataFiles(directory.path)) writeFileSync(path, spoil(readFileSync(path)))
    await using world = await cachedWorld(tiny, { dir: directory.path })
    const sequence = (await world.cached()).getSequence()
    expect(await answer(sequence, PROMPT)).toEqual(cold)
    expect(cacheOf(sequence).lastReport?.cachedTokens).toBeLessThan(192)
  })

  test('on disk: sound blocks are restored after a restart', async () => {
    await using directory = await temporaryDirectory()
    {
      await using world = await cachedWorld(tiny, { dir: directory.path })
      await fill(await world.cached(), PROMPT)
    }
    expect(dataFiles(directory.path).length).toBeGreaterThan(0)
    await using world = await cachedWorld(tiny, { dir: directory.path })
    const sequence = (await world.cached()).getSequence()
    expect(await answer(sequence, PROMPT)).toEqual(cold)
    expect(cacheOf(sequence).lastReport).toMatchObject({ cachedTokens: 192, byTier: { disk: 192 } })
  })

  test('an engine that refuses to load is asked for nothing else: the prompt is computed', async () => {
    await using world = await cachedWorld(tiny)
    const context = await world.cached()
    await fill(context, PROMPT)
    const sequence = context.getSequence()
    sequence.loadStateFromFile = () => Promise.reject(new Error('Failed to load state'))
    expect(await answer(sequence, PROMPT)).toEqual(cold)
    expect(cacheOf(sequence).lastReport?.cachedTokens).toBe(0)
    expect(world.kv.status().counters.restoresFailed).toBe(1)
  })

  test('a restore that fails after the sequence was emptied: what was lost is evaluated again', async () => {
    await using world = await cachedWorld(tiny)
    const context = await world.cached()
    await fill(context, PROMPT)
    const sequence = context.getSequence()
    await sequence.evaluateWithoutGeneratingNewTokens(PROMPT.slice(0, 40))
    sequence.loadStateFromFile = async () => {
      await sequence.clearHistory()
      throw new Error('Failed to load state')
    }
    const control = (await world.plain()).getSequence()
    await control.evaluateWithoutGeneratingNewTokens(PROMPT.slice(0, 40))
    expect(await answer(sequence, PROMPT.slice(40))).toEqual(await answer(control, PROMPT.slice(40)))
    expect(sequence.contextTokens.slice(0, 200)).toEqual(PROMPT)
  })
})

function flip(bytes: Buffer, every: number): Buffer {
  for (let at = 0; at < bytes.length; at += every) bytes[at]! ^= 0x10
  return bytes
}
