import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger } from '@kvbm/core'
import {
  type CaptureRange,
  type KvCache,
  type KvCacheOptions,
  type KvConnector,
  type Loaded,
  openKvCache,
  type SessionOptions,
  type SessionReport,
} from '../src/index.js'
import {
  ManualClock,
  MemoryDriver,
  type MemoryDriverOptions,
  MemoryEngine,
  type MemoryEngineOptions,
  type MemorySlot,
} from '../src/testing/index.js'

export const PAGE = 16

export class TemporaryDirectory {
  readonly path = mkdtempSync(join(tmpdir(), 'kvbm-connector-'))

  at(...names: string[]): string {
    return join(this.path, ...names)
  }

  /** Flips a bit of one block of the only model in it. */
  damageBlock(slot: number, blockBytes: number): void {
    const name = readdirSync(this.path).find((entry) => /^[0-9a-f]{16}$/.test(entry))!
    const data = readFileSync(this.at(name, 'blocks.kvbm'))
    data[slot * blockBytes + 1]! ^= 4
    writeFileSync(this.at(name, 'blocks.kvbm'), data)
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** `count` tokens, told apart by `seed`; a longer prompt goes on from a shorter one of the same seed. */
export function prompt(count: number, seed = 1): Uint32Array {
  return Uint32Array.from({ length: count }, (_, index) => (seed * 7919 + index * 31) % 50_000)
}

/** Two prompts in one: the first `count` tokens of `head`, then tokens of their own. */
export function branch(head: Uint32Array, count: number, more: number, seed: number): Uint32Array {
  return Uint32Array.from([...head.subarray(0, count), ...prompt(more, seed)])
}

export class RecordingLogger implements Logger {
  readonly warnings: string[] = []
  debug(): void {}
  info(): void {}
  warn(message: string): void {
    this.warnings.push(message)
  }
  error(message: string): void {
    this.warnings.push(`error: ${message}`)
  }
}

export interface WorldOptions {
  readonly engine?: MemoryEngineOptions
  readonly driver?: Partial<MemoryDriverOptions>
  readonly cache?: KvCacheOptions
}

/** A cache, one engine and its connector; closed at the end of the scope. */
export class World implements AsyncDisposable {
  readonly kv: KvCache
  readonly engine: MemoryEngine
  readonly driver: MemoryDriver
  readonly connector: KvConnector<MemorySlot>

  constructor(kv: KvCache, engine: MemoryEngine, driver: MemoryDriver) {
    this.kv = kv
    this.engine = engine
    this.driver = driver
    this.connector = kv.connect(driver)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kv.close()
  }
}

/** Time passes only by what the engine does: evaluating is so slow that loading always pays. */
export function engineTime(
  cost = { evaluate: 1, save: 0.01, load: 0.001 },
): Pick<MemoryEngineOptions, 'working'> & { clock: ManualClock } {
  const clock = new ManualClock()
  return { clock, working: (kind, tokens) => clock.advance(cost[kind] * tokens) }
}

export async function openWorld({ engine, driver, cache }: WorldOptions = {}): Promise<World> {
  const { clock, working } = engineTime()
  const kv = await openKvCache({ host: '8MiB', clock, ...cache })
  const timed = cache?.clock === undefined ? { clock, working } : { clock: cache.clock }
  const memory = new MemoryEngine({ ...timed, ...engine })
  return new World(kv, memory, new MemoryDriver(memory, { through: 'file', ...driver }))
}

export interface Answer {
  readonly slot: MemorySlot
  readonly loaded: Loaded
  readonly report: SessionReport
  /** What a run without cache must give too. */
  readonly logits: number
  /** Tokens that the engine evaluated for this. */
  readonly evaluated: number
}

/** What an adapter does for one request: load, prefill, decode `answer`, capture, finish; and waits for the capture. */
export async function ask(
  { connector, engine }: Pick<World, 'connector' | 'engine'>,
  tokens: Uint32Array,
  {
    answer = new Uint32Array(0),
    capture = {},
    ...options
  }: SessionOptions & { answer?: Uint32Array; capture?: CaptureRange } = {},
): Promise<Answer> {
  await connector.ready()
  const session = connector.open(tokens, options)
  const slot = engine.slot()
  const before = engine.evaluatedTokens
  const loaded = await session.load(slot)
  const started = engine.clock.now()
  await engine.evaluate(slot, tokens.subarray(loaded.tokens), loaded.cuts)
  session.prefilled({ tokens: tokens.length - loaded.tokens, ms: engine.clock.now() - started })
  const logits = engine.logits(slot)
  for (const token of answer) await engine.evaluate(slot, Uint32Array.of(token))
  session.capture({ tokens: slot.tokens, ...capture }, slot)
  await session.finish()
  await connector.settled()
  const report = { ...(await session.finish()), capture: await session.captured() }
  return { slot, loaded, report, logits, evaluated: engine.evaluatedTokens - before }
}

/** What the engine gives for these tokens without any cache. */
export async function cold(engine: MemoryEngine, tokens: Uint32Array): Promise<number> {
  const slot = engine.slot()
  await engine.evaluate(slot, tokens)
  return engine.logits(slot)
}
