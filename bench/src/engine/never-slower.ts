import { setTimeout as sleep } from 'node:timers/promises'
import type { KvEngineDriver } from '@kvbm/connector'
import { type KvCache, kvCacheOf, openKvCache } from '@kvbm/node-llama-cpp'
import type { LlamaContextSequence } from 'node-llama-cpp'
import { figure, type Report } from '../figures.js'
import { spreadOf } from '../harness.js'
import { Engine } from './engine.js'
import { firstTokenMs } from './first-token.js'
import { PromptSource } from './prompt-source.js'
import { wrapDrivers } from './wrap-drivers.js'

const CASES: readonly Case[] = [
  { prefixTokens: 64, delayMs: 0 },
  { prefixTokens: 256, delayMs: 0 },
  { prefixTokens: 1024, delayMs: 0 },
  // The proportions of a fast GPU beside slow memory.
  { prefixTokens: 1024, delayMs: 200 },
]
const TAIL_TOKENS = 16

interface Case {
  readonly prefixTokens: number
  /** Added to each restore. */
  readonly delayMs: number
}

/** Prompts of one side before it is the other's turn; captures that then still run are waited for, and not counted. */
const TURN = 10
const TURNS_PER_ROUND = 4

/** A toy computes as fast as it restores: what the cache costs then, when the same prefix comes again and again. */
export async function neverSlower({ rounds }: { readonly rounds: number }): Promise<Report[]> {
  await using engine = await Engine.load('random:tiny')
  const reports: Report[] = []
  for (const one of CASES) reports.push(await measureCase(engine, one, rounds * TURNS_PER_ROUND))
  return reports
}

async function measureCase(engine: Engine, { prefixTokens, delayMs }: Case, turns: number): Promise<Report> {
  const settings = { threads: 1, batchTokens: 512, flashAttention: true }
  const contextTokens = prefixTokens + 4 * TAIL_TOKENS
  await using kv = await openKvCache({ host: '1GiB', modelsMax: 1 })
  if (delayMs > 0) wrapDrivers(kv, (driver) => slowed(driver, delayMs))
  const source = new PromptSource(engine.model, prefixTokens)
  const prefix = source.take(prefixTokens)
  const sides = [
    await engine.sequence(settings, { contextTokens }),
    await engine.sequence(settings, { contextTokens, kv }),
  ]
  const times: [number[], number[]] = [[], []]
  for (let turn = 0; turn < turns; turn++) {
    for (const side of turn % 2 === 0 ? [0, 1] : [1, 0])
      times[side]!.push(...(await askInTurn(sides[side]!, prefix, source)))
  }
  const [without, cached] = times
  await kv.close()
  return reportOf({ prefixTokens, delayMs, without, cached, kv })
}

function slowed<Slot>(driver: KvEngineDriver<Slot>, delayMs: number): KvEngineDriver<Slot> {
  const restore = driver.restore.bind(driver)
  driver.restore = async (request) => {
    await sleep(delayMs)
    return restore(request)
  }
  return driver
}

async function askInTurn(
  sequence: LlamaContextSequence,
  prefix: ReturnType<PromptSource['take']>,
  source: PromptSource,
): Promise<number[]> {
  const times: number[] = []
  for (let count = 0; count < TURN; count++) {
    await sequence.clearHistory()
    times.push(await firstTokenMs(sequence, [...prefix, ...source.take(TAIL_TOKENS)]))
  }
  await kvCacheOf(sequence)?.settled()
  return times
}

interface Sides extends Case {
  readonly without: readonly number[]
  readonly cached: readonly number[]
  readonly kv: KvCache
}

function reportOf({ prefixTokens, delayMs, without, cached, kv }: Sides): Report {
  const ratio = spreadOf(cached).median / spreadOf(without).median
  const { decisions } = kv.status().counters
  return {
    name: 'engine-never-slower',
    work: `${prefixTokens} tokens seen before and ${TAIL_TOKENS} new ones to the first token, CPU, a toy of a model`,
    setup: { threads: 1, 'requests on each side': cached.length, 'ms added to each restore': delayMs },
    figures: [
      figure('without cache', 'ms', without),
      figure('with cache', 'ms', cached),
      figure('p50 with ÷ p50 without', 'times', [ratio], { atMost: 1.02 }),
    ],
    notes: [
      `decisions: ${Object.entries(decisions)
        .map(([reason, count]) => `${reason} ${count}`)
        .join(', ')}`,
    ],
  }
}
