import { type KvCache, kvCacheOf, openKvCache, withKvCache } from '@kvbm/node-llama-cpp'
import type { Token } from 'node-llama-cpp'
import { figure, type Report } from '../figures.js'
import { spreadOf, turns } from '../harness.js'
import { Engine } from './engine.js'
import { firstTokenMs } from './first-token.js'
import { PromptSource } from './prompt-source.js'
import { timeEngine } from './time-engine.js'

const PROMPT_TOKENS = 1040
const MODEL = 'random:smol135'

/** One prompt on one side. */
interface Sample {
  readonly ms: number
  /** Of it not in the engine. */
  readonly outsideMs: number
}

type Ask = (prompt: readonly Token[]) => Promise<Sample>

/** A prompt that hits nothing: what the cache adds to its prefill. */
export async function overhead({ rounds }: { readonly rounds: number }): Promise<Report[]> {
  await using engine = await Engine.load(MODEL)
  await using kv = await openKvCache({ host: '2GiB', modelsMax: 1 })
  const sides = [await sideOf(engine), await sideOf(engine, kv)]
  const source = new PromptSource(engine.model)
  const samples: Sample[][] = [[], []]
  // The first round warms up and is not counted.
  for (let round = -1; round < rounds; round++) {
    for (const side of turns(2, Math.max(0, round))) {
      const sample = await sides[side]!(source.take(PROMPT_TOKENS))
      if (round >= 0) samples[side]!.push(sample)
    }
  }
  return [reportOf(engine, samples[0]!, samples[1]!)]
}

async function sideOf(engine: Engine, kv?: KvCache): Promise<Ask> {
  const settings = { threads: engine.cores, batchTokens: 512, flashAttention: true }
  const sequence = await engine.sequence(settings, { contextTokens: PROMPT_TOKENS + 32 })
  const engineMs = timeEngine(sequence)
  if (kv !== undefined) withKvCache(sequence, kv)
  return async (prompt) => {
    await sequence.clearHistory()
    const ms = await firstTokenMs(sequence, prompt)
    await kvCacheOf(sequence)?.settled()
    return { ms, outsideMs: ms - engineMs() }
  }
}

function reportOf(engine: Engine, without: readonly Sample[], cached: readonly Sample[]): Report {
  const timesOf = (samples: readonly Sample[]): number[] => samples.map(({ ms }) => ms)
  const added = spreadOf(without.map(({ outsideMs }) => outsideMs)).median
  const parts = cached.map(({ ms, outsideMs }) => (100 * (outsideMs - added)) / (ms - outsideMs))
  const differences = cached.map(({ ms }, round) => 100 * (ms / without[round]!.ms - 1))
  return {
    name: 'engine-overhead',
    work: `${PROMPT_TOKENS} tokens that hit nothing to the first token, CPU, ${engine.label}`,
    setup: { threads: engine.cores, batchTokens: 512, flashAttention: true },
    figures: [
      figure('without cache', 'ms', timesOf(without)),
      figure('with cache', 'ms', timesOf(cached)),
      figure('difference, by the clock', '%', differences),
      figure(
        'our own time before the first token',
        'ms',
        cached.map(({ outsideMs }) => outsideMs - added),
      ),
      figure('our own time ÷ prefill', '%', parts, { atMost: 1 }),
    ],
    notes: [],
  }
}
