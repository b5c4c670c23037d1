import { type DriverWorld, driverConformance } from '@kvbm/connector/testing'
import type { LlamaContextSequence, Token } from 'node-llama-cpp'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { LlamaDriver } from '../src/index.js'
import { logitsAfter, PAGE } from './support/cut-and-restore.js'
import { isMissing, type TinyEngine, tinyEngine, why } from './support/tiny-engine.js'
import { words } from './support/words.js'

const KV_TYPES = ['F16', 'F32', 'Q8_0'] as const

describe.skipIf(isMissing).each(KV_TYPES)(`node-llama-cpp with %s KV is an engine:${why}`, (type) => {
  let tiny: TinyEngine

  beforeAll(async () => {
    tiny = await tinyEngine()
  })

  afterAll(() => tiny?.[Symbol.asyncDispose]())

  for (const { name, run } of driverConformance(() => makeWorld())) test(name, run)

  async function makeWorld(): Promise<DriverWorld<LlamaContextSequence>> {
    const types = { experimentalKvCacheKeyType: type, experimentalKvCacheValueType: type }
    const context = await tiny.context({ contextSize: 256, sequences: 8, ...types })
    return {
      driver: new LlamaDriver(context, { pageSize: PAGE }),
      emptySlot: () => context.getSequence(),
      tokens: (count, seed) => Uint32Array.from(words(count, seed)),
      evaluate: evaluateInPages,
      length: (sequence) => sequence.nextTokenIndex,
      observe: logitsOfProbe,
      close: () => context.dispose(),
    }
  }
})

/** In batches of one size: the bits of this engine depend on whether a batch has 64 rows or more, whoever computes them. */
async function evaluateInPages(sequence: LlamaContextSequence, tokens: Uint32Array): Promise<void> {
  for (let at = 0; at < tokens.length; at += PAGE)
    await sequence.evaluateWithoutGeneratingNewTokens(Array.from(tokens.subarray(at, at + PAGE)) as Token[])
}

/** What the model would say after one more token; leaves the sequence as it was. */
async function logitsOfProbe(sequence: LlamaContextSequence): Promise<Map<Token, number>> {
  const length = sequence.nextTokenIndex
  const logits = await logitsAfter(sequence, words(1, 7))
  await sequence.eraseContextTokenRanges([{ start: length, end: length + 1 }])
  return logits
}
