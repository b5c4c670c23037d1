import { type KvCache, type KvCacheOptions, openKvCache } from '@kvbm/connector'
import { ManualClock } from '@kvbm/connector/testing'
import type { LlamaContext, LlamaContextOptions } from 'node-llama-cpp'
import { type WithKvCacheOptions, withKvCache } from '../../src/index.js'
import type { TinyEngine } from './tiny-engine.js'
import { TokenClock } from './token-clock.js'

/** A cache, and contexts of a tiny model with and without it. Whatever it gave goes with it. */
export class CachedWorld implements AsyncDisposable {
  readonly kv: KvCache
  readonly clock = new TokenClock()
  readonly #tiny: TinyEngine
  readonly #contexts: LlamaContext[] = []

  constructor(tiny: TinyEngine, kv: KvCache) {
    this.#tiny = tiny
    this.kv = kv
  }

  /** A context as the engine gives it. */
  async plain(options?: LlamaContextOptions): Promise<LlamaContext> {
    const context = await this.#tiny.context({ sequences: 4, ...options })
    this.clock.watch(context)
    this.#contexts.push(context)
    return context
  }

  /** A context with the cache. Loading always pays. */
  async cached(options?: LlamaContextOptions, use?: WithKvCacheOptions): Promise<LlamaContext> {
    return this.use(await this.plain(options), use)
  }

  /** `withKvCache` on the clock of this world. */
  use<T extends Parameters<typeof withKvCache>[0]>(target: T, options?: WithKvCacheOptions): T {
    return withKvCache(target, this.kv, { clock: this.clock, ...options })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const context of this.#contexts) await context.dispose()
    await this.kv.close()
  }
}

/** A world with a small cache, for which restores take no time. */
export async function cachedWorld(tiny: TinyEngine, options: KvCacheOptions = {}): Promise<CachedWorld> {
  return new CachedWorld(
    tiny,
    await openKvCache({ host: '32MiB', disk: '64MiB', clock: new ManualClock(), ...options }),
  )
}
