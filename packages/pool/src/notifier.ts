import {
  attempt,
  type BlockHashes,
  type EventManager,
  PackedHashes,
  type RemovalReason,
  type TierName,
} from '@kvbm/core'
import type { PoolCounters } from './pool-counters.js'

/**
 * Is told at once, in the same turn, after the change is complete: one call per run of consecutive blocks registered, one call
 * per allocation that evicted. Must return quickly; it may call the pool. What it throws, or rejects
 * with, is counted and reported once.
 */
export interface PoolObserver {
  /** Blocks became matchable by `register`. */
  registered?(ids: Uint32Array, hashes: BlockHashes): void
  /** Cached blocks lost their name to make room: least recently used first, children before parents. */
  evicted?(ids: Uint32Array, hashes: PackedHashes): void
}

export interface NotifierOptions {
  readonly eventManager: EventManager | undefined
  readonly observer: PoolObserver | undefined
  readonly tier: TierName | undefined
  readonly counters: PoolCounters
}

/**
 * Tells what became of blocks, in the order in which it happened. Operations add notices while they change the table and flush
 * when they are done; a listener that calls the pool adds to the end of the queue, so nobody sees a half-done change or
 * another order.
 */
export class Notifier {
  observer: PoolObserver | undefined
  readonly #eventManager: EventManager | undefined
  readonly #tier: TierName | undefined
  readonly #counters: PoolCounters
  readonly #queue: Array<() => unknown> = []
  #telling = false

  constructor({ eventManager, observer, tier, counters }: NotifierOptions) {
    this.observer = observer
    this.#eventManager = eventManager
    this.#tier = tier
    this.#counters = counters
  }

  readonly #failed = (why: string): void => {
    this.#counters.listenerErrors++
    if (this.#counters.listenerErrors > 1) return
    const options = { type: 'KvbmWarning', code: 'KVBM_LISTENER_FAILED' }
    process.emitWarning(`A listener of a block pool threw: ${why}. The pool goes on; later ones are counted.`, options)
  }

  /** Whether anybody wants to know the names of blocks that go. */
  get wantsRemoved(): boolean {
    return this.#eventManager !== undefined || this.observer?.evicted !== undefined
  }

  /** Whether anybody wants to know the names of blocks that came from an earlier process. */
  get wantsStored(): boolean {
    return this.#eventManager !== undefined && this.#eventManager.isIdle?.() !== true
  }

  /** Blocks `from` to before `to` of a run are new in the pool. */
  registered(ids: Uint32Array, hashes: BlockHashes, from: number, to: number): void {
    const observer = this.observer
    if (observer?.registered === undefined && this.#eventManager === undefined) return
    const names = hashes.subarray(from, to)
    if (observer?.registered !== undefined) this.#add(() => observer.registered?.(ids.slice(from, to), names))
    this.stored(names)
  }

  stored(hashes: BlockHashes): void {
    if (this.#eventManager !== undefined) this.#publish({ type: 'stored', tier: this.#tier, hashes })
  }

  evicted(ids: Uint32Array, words: Uint32Array): void {
    const hashes = new PackedHashes(words)
    const observer = this.observer
    if (observer?.evicted !== undefined) this.#add(() => observer.evicted?.(ids, hashes))
    this.removed(words, 'evicted')
  }

  removed(words: Uint32Array, reason: RemovalReason): void {
    if (this.#eventManager === undefined || words.length === 0) return
    this.#publish({ type: 'removed', tier: this.#tier, hashes: new PackedHashes(words), reason })
  }

  /** Tells everything that was added. */
  flush(): void {
    if (this.#telling || this.#queue.length === 0) return
    this.#telling = true
    for (let tell = this.#queue.shift(); tell !== undefined; tell = this.#queue.shift()) attempt(tell, this.#failed)
    this.#telling = false
  }

  #publish(event: Parameters<EventManager['publish']>[0]): void {
    this.#add(() => this.#eventManager?.publish(event))
  }

  #add(tell: () => unknown): void {
    this.#queue.push(tell)
  }
}
