import { join } from 'node:path'
import type { KvCache } from '@kvbm/connector'
import type { LlamaContextSequence, LlamaModel, Token } from 'node-llama-cpp'
import { benchPrompt } from './bench-prompt.js'
import type { Engine } from './load-engine.js'
import { type Spread, spreadOf } from './spread.js'

export interface PrefixOptions {
  readonly prefixTokens: number
  readonly rounds: number
  readonly threads: number
  readonly batchTokens: number
  /** Blocks on disk are written below it. */
  readonly directory: string
  readonly onRound: (round: number) => void
}

/** Plain JSON: one row. Times in milliseconds. */
export interface PrefixResult {
  readonly prefixTokens: number
  readonly cold: Spread
  readonly host: Spread
  readonly disk: Spread
  /** Rounds in which the prefix was restored; in others the cache found that computing it is faster. */
  readonly restored: { readonly host: number; readonly disk: number }
  readonly storedBytes: number
  /** Of restored rounds: largest difference of a logit to the same two steps without a cache. Null when there were none. */
  readonly difference: number | null
}

/** A block behind the prefix, so that the prefix is the longest that a cache can give. */
const TAIL_TOKENS = 16
/** Memory and disk for the blocks of one prefix, with room to spare. */
const CACHE_SIZES = { host: '2GiB', disk: '4GiB', modelsMax: 1 } as const

type Logits = ReadonlyMap<Token, number>

interface Answer {
  readonly ms: number
  readonly logits: Logits
}

interface CachedAnswer extends Answer {
  readonly cachedTokens: number
}

interface Round {
  readonly cold: Answer
  readonly host: CachedAnswer
  readonly disk: CachedAnswer
}

/** Measures one prefix: every round each way once, in turn. */
export async function measurePrefix(engine: Engine, model: LlamaModel, options: PrefixOptions): Promise<PrefixResult> {
  const bench = new PrefixBench(engine, model, options)
  try {
    return await bench.run()
  } finally {
    await bench.close()
  }
}

class PrefixBench {
  readonly #engine: Engine
  readonly #model: LlamaModel
  readonly #options: PrefixOptions
  readonly #prompt: Token[]
  /** Contexts before the caches under them. */
  readonly #closing: (() => Promise<unknown>)[] = []

  constructor(engine: Engine, model: LlamaModel, options: PrefixOptions) {
    this.#engine = engine
    this.#model = model
    this.#options = options
    const { prefixTokens } = options
    this.#prompt = benchPrompt(model, { count: prefixTokens + TAIL_TOKENS, seed: prefixTokens })
  }

  async run(): Promise<PrefixResult> {
    const { prefixTokens, rounds, onRound } = this.#options
    const plain = await this.#sequence()
    const [host, storedBytes] = await this.#filled()
    const split = await this.#splitLogits(plain)
    const found: Round[] = []
    // The first round warms up and is not counted.
    for (let round = 0; round <= rounds; round++) {
      onRound(round)
      const cold = await this.#ask(plain)
      const answers = { cold, host: await this.#askCached(host), disk: await this.#askReopened() }
      if (round > 0) found.push(answers)
    }
    return { prefixTokens, storedBytes, ...summary(found, prefixTokens, split) }
  }

  async close(): Promise<void> {
    for (let next = this.#closing.pop(); next !== undefined; next = this.#closing.pop()) await next()
  }

  // ── Ways ────────────────────────────────────────────────────────────────

  async #ask(sequence: LlamaContextSequence): Promise<Answer> {
    await sequence.clearHistory()
    const started = performance.now()
    const logits = await logitsAfter(sequence, this.#prompt)
    return { ms: performance.now() - started, logits }
  }

  async #askCached(sequence: LlamaContextSequence): Promise<CachedAnswer> {
    const cache = this.#engine.adapter.kvCacheOf(sequence)!
    const answer = await this.#ask(sequence)
    await cache.settled()
    return { ...answer, cachedTokens: cache.lastReport?.cachedTokens ?? 0 }
  }

  /** A cache that was just opened has nothing in memory. Its model's blocks are open, as a server has them before a request. */
  #askReopened(): Promise<CachedAnswer> {
    return this.#onDisk(async (sequence) => {
      await this.#engine.adapter.kvCacheOf(sequence)!.connector.ready()
      return this.#askCached(sequence)
    })
  }

  /** The same two steps as after a restore, without one. */
  async #splitLogits(sequence: LlamaContextSequence): Promise<Logits> {
    const { prefixTokens } = this.#options
    await sequence.clearHistory()
    await sequence.evaluateWithoutGeneratingNewTokens(this.#prompt.slice(0, prefixTokens))
    return logitsAfter(sequence, this.#prompt.slice(prefixTokens))
  }

  // ── Setup ───────────────────────────────────────────────────────────────

  /** A sequence over a cache in memory that has the prefix, and the bytes of its blocks. Disk has it afterwards, too. */
  async #filled(): Promise<[LlamaContextSequence, number]> {
    await this.#onDisk((sequence) => this.#fill(sequence))
    const kv = await this.#engine.adapter.openKvCache(CACHE_SIZES)
    this.#closing.push(() => kv.close())
    const sequence = await this.#sequence(kv)
    await this.#fill(sequence)
    return [sequence, kv.status().models[0]?.manager?.tiers.host?.usedBytes ?? 0]
  }

  /** Evaluates and captures the prefix alone: in a batch with more tokens an engine may compute other bits. */
  async #fill(sequence: LlamaContextSequence): Promise<void> {
    await sequence.evaluateWithoutGeneratingNewTokens(this.#prompt.slice(0, this.#options.prefixTokens))
    await this.#engine.adapter.kvCacheOf(sequence)!.settled()
  }

  /** Opens the cache on disk, and closes it afterwards: what is new is written then. */
  async #onDisk<T>(act: (sequence: LlamaContextSequence) => Promise<T>): Promise<T> {
    const { directory, prefixTokens } = this.#options
    await using kv = await this.#engine.adapter.openKvCache({
      ...CACHE_SIZES,
      dir: join(directory, String(prefixTokens)),
    })
    const sequence = await this.#sequence(kv)
    try {
      return await act(sequence)
    } finally {
      await sequence.context.dispose()
    }
  }

  async #sequence(kv?: KvCache): Promise<LlamaContextSequence> {
    const { threads, batchTokens } = this.#options
    const contextSize = this.#prompt.length + TAIL_TOKENS
    const context = await this.#model.createContext({
      contextSize,
      batchSize: batchTokens,
      threads,
      flashAttention: true,
    })
    this.#closing.push(() => context.dispose())
    return (kv === undefined ? context : this.#engine.adapter.withKvCache(context, kv)).getSequence()
  }
}

/** What the model thinks of every possible next token. */
async function logitsAfter(sequence: LlamaContextSequence, tokens: readonly Token[]): Promise<Logits> {
  const last = tokens.length - 1
  const wanted = { generateNext: { logits: true } } as const
  const results = await sequence.controlledEvaluate(
    tokens.map((token, index) => (index === last ? [token, wanted] : token)),
  )
  return results[last]!.next.logits!
}

function summary(rounds: readonly Round[], prefixTokens: number, split: Logits) {
  const isRestored = ({ cachedTokens }: CachedAnswer): boolean => cachedTokens === prefixTokens
  const host = rounds.map((round) => round.host)
  const disk = rounds.map((round) => round.disk)
  const sound = [...host, ...disk].filter(isRestored)
  return {
    cold: spreadOf(rounds.map(({ cold }) => cold.ms)),
    host: spreadOf(host.map(({ ms }) => ms)),
    disk: spreadOf(disk.map(({ ms }) => ms)),
    restored: { host: host.filter(isRestored).length, disk: disk.filter(isRestored).length },
    difference: sound.length === 0 ? null : Math.max(...sound.map(({ logits }) => largestDifference(logits, split))),
  }
}

function largestDifference(some: Logits, others: Logits): number {
  let largest = 0
  for (const [token, logit] of some) largest = Math.max(largest, Math.abs(logit - (others.get(token) ?? Number.NaN)))
  return largest
}
