import { type Clock, type KvCache, type KvConnector, systemClock } from '@kvbm/connector'
import type { LlamaContext, LlamaContextSequence, Token } from 'node-llama-cpp'
import { LlamaDriver } from '../driver/llama-driver.js'
import type { RequestSettings } from './request-settings.js'
import type { SoundPrefix } from './sound-prefix.js'

/** How a context is connected to a cache. */
export interface ContextCacheOptions {
  /** Cache answers, too, so that a chat goes on from them. Default true. */
  readonly generated?: boolean | undefined
  /** LoRA adapters of the context with their scales, e.g. `style.gguf@0.5`: the engine does not tell. */
  readonly loras?: readonly string[] | undefined
  /** For tests. */
  readonly clock?: Clock | undefined
}

/** One context of the engine and its cache. */
export class ContextCache {
  /** For `explain`, `warm`, `status` and `settled`. */
  readonly connector: KvConnector<LlamaContextSequence>
  readonly kv: KvCache
  readonly clock: Clock
  readonly driver: LlamaDriver
  /** Of sequences that the context gives from now on; undefined: those are not cached. */
  sequenceSettings: RequestSettings | undefined
  readonly #present = new Set<() => Promise<unknown>>()
  readonly #sounds = new WeakMap<LlamaContextSequence, SoundPrefix>()
  #closing: Promise<void> | undefined

  /** Throws `ClosedError` when the cache is closed. */
  constructor(context: LlamaContext, kv: KvCache, { generated, loras, clock = systemClock }: ContextCacheOptions) {
    const { model } = context
    const soundOf = (sequence: LlamaContextSequence): SoundPrefix | undefined => this.#sounds.get(sequence)
    const detokenize = (tokens: Uint32Array): string => model.detokenize(Array.from(tokens) as Token[], true)
    this.kv = kv
    this.clock = clock
    this.driver = new LlamaDriver(context, { pageSize: kv.pageSize, loras, soundOf })
    this.connector = kv.connect(this.driver, { generated, detokenize })
  }

  /** Captures of this sequence are held against what is known of its tokens. */
  watch(sequence: LlamaContextSequence, sound: SoundPrefix): void {
    this.#sounds.set(sequence, sound)
  }

  /** Opens the model's blocks, unless nothing of the model can be cached. */
  async ready(): Promise<void> {
    if (this.driver.supports().ok) await this.connector.ready()
  }

  /** A request comes; `end` ends it when the context goes. Returns how to leave. */
  enter(end: () => Promise<unknown>): () => void {
    this.#present.add(end)
    return () => void this.#present.delete(end)
  }

  get isIdle(): boolean {
    return this.#present.size === 0
  }

  /** Before the context goes: the engine must not be disposed of under a capture that runs. Captures that wait run first. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#present].map((end) => end()))
    await this.connector.close()
  }
}
