import fc from 'fast-check'
import type { LlamaContext, LlamaContextSequence, Token } from 'node-llama-cpp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CachedWorld, cachedWorld } from './support/cached-world.js'
import { largestDifference, logitsAfter } from './support/cut-and-restore.js'
import { answer, cacheOf } from './support/sequences.js'
import { isMissing, type TinyEngine, tinyEngine, why } from './support/tiny-engine.js'
import { words } from './support/words.js'

/** Random histories; each takes a second or two. */
const HISTORIES = Number(process.env.KVBM_HISTORIES ?? 20)
const SEQUENCES = 2
const CONTEXT_TOKENS = 512
/** Logits of the tiny model reach ±20. Other batches change them by thousandths, one wrong row by more than this. */
const TOLERANCE = 0.1

interface Act {
  readonly kind: 'ask' | 'continue' | 'answer' | 'erase' | 'shift' | 'clear' | 'settle' | 'replace' | 'echo'
  readonly sequence: number
  readonly seed: number
  readonly size: number
}

const act = fc.record<Act>({
  kind: fc.constantFrom(
    'ask',
    'ask',
    'ask',
    'continue',
    'answer',
    'answer',
    'erase',
    'shift',
    'clear',
    'settle',
    'replace',
    'echo',
  ),
  sequence: fc.nat(SEQUENCES - 1),
  seed: fc.nat(3),
  size: fc.integer({ min: 1, max: 150 }),
})

describe.skipIf(isMissing)(`random histories of sequences${why}`, () => {
  let tiny: TinyEngine

  beforeAll(async () => {
    tiny = await tinyEngine()
  })
  afterAll(() => tiny?.[Symbol.asyncDispose]())

  /** The same sequence with and without cache. */
  interface Pair {
    readonly cached: LlamaContextSequence
    readonly plain: LlamaContextSequence
  }

  async function live(acts: readonly Act[]): Promise<number> {
    await using world = await cachedWorld(tiny)
    const options = { contextSize: CONTEXT_TOKENS, sequences: SEQUENCES }
    const [cached, plain] = [await world.cached(options), await world.plain(options)]
    const pairs = Array.from({ length: SEQUENCES }, () => pairOf(cached, plain))
    for (const one of acts) {
      const pair = pairs[one.sequence]!
      if (one.kind === 'replace') {
        await Promise.all([pair.cached.dispose(), pair.plain.dispose()])
        pairs[one.sequence] = pairOf(cached, plain)
      } else if (one.kind === 'settle') await settle(world, pair)
      else if (one.kind === 'echo') await echo(world, pair, pairs[(one.sequence + 1) % SEQUENCES]!, one)
      else await both(pair, (sequence, follow) => perform(sequence, one, follow))
    }
    return world.kv.status().counters.hitTokens.host
  }

  const pairOf = (cached: LlamaContext, plain: LlamaContext): Pair => ({
    cached: cached.getSequence(),
    plain: plain.getSequence(),
  })

  /** No call follows in any sequence: their requests end, their captures run. */
  async function settle({ clock }: CachedWorld, { cached }: Pair): Promise<void> {
    clock.pass(1000)
    await cacheOf(cached).settled()
  }

  /** Asks for what the other sequence holds: were it captured under a wrong name, it would show. */
  async function echo(world: CachedWorld, pair: Pair, other: Pair, { size, seed }: Act): Promise<void> {
    await settle(world, other)
    const held = other.cached.contextTokens.slice(0, CONTEXT_TOKENS - 200)
    await pair.cached.clearHistory()
    await pair.plain.clearHistory()
    await both(pair, (sequence) => ask(sequence, [...held, ...words(size, seed)]))
  }

  /** What is done to one is done to the other; then both must think alike. */
  async function both({ cached, plain }: Pair, perform: Perform): Promise<void> {
    const follow = await perform(cached)
    await perform(plain, follow)
    expect(cached.contextTokens).toEqual(plain.contextTokens)
    const probe = words(2, 9)
    expect(largestDifference(await logitsAfter(cached, probe), await logitsAfter(plain, probe))).toBeLessThan(TOLERANCE)
  }

  test(`${HISTORIES} histories: the cache never changes what a model thinks`, async () => {
    let hits = 0
    const history = fc.array(act, { minLength: 8, maxLength: 30, size: 'max' })
    const lives = fc.asyncProperty(history, async (acts) => {
      hits += await live(acts)
    })
    await fc.assert(lives, { numRuns: HISTORIES, endOnFailure: true })
    expect(hits).toBeGreaterThan(0)
  }, 300_000)
})

type Perform = (sequence: LlamaContextSequence, follow?: readonly Token[]) => Promise<Token[]>

/** Answers are forced to be those of `follow`: near ties may fall either way. Resolves with the answer's tokens. */
async function perform(sequence: LlamaContextSequence, one: Act, follow?: readonly Token[]): Promise<Token[]> {
  const length = sequence.nextTokenIndex
  const { kind, seed, size } = one
  if (kind === 'ask') await ask(sequence, [...words(64, 5), ...words(size, seed)])
  if (kind === 'continue') await sequence.controlledEvaluate(words(size, seed))
  if (kind === 'erase' && length > size) await sequence.eraseContextTokenRanges([{ start: size, end: length }])
  if (kind === 'shift' && length > size + 8) await sequence.eraseContextTokenRanges([{ start: size, end: size + 8 }])
  if (kind === 'clear') await sequence.clearHistory()
  if (kind !== 'answer') return []
  if (follow === undefined) return answer(sequence, words(3, seed), 5)
  for (const token of [...words(3, seed), ...follow.slice(0, -1)])
    await sequence.evaluateWithoutGeneratingNewTokens([token])
  return [...follow]
}

async function ask(sequence: LlamaContextSequence, prompt: Token[]): Promise<Token[]> {
  await sequence.adaptStateToTokens(prompt, false)
  const rest = prompt.slice(sequence.nextTokenIndex)
  await sequence.evaluateWithoutGeneratingNewTokens(rest)
  return []
}
