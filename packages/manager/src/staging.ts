import type { MutableBlocks } from '@kvbm/pool'
import { following } from './patience.js'
import type { TierStore } from './tier-store.js'
import type { Transfers } from './transfers.js'

export interface StagingOptions {
  readonly store: TierStore<'staging'>
  readonly transfers: Transfers
  /** Longest wait for a turn, in milliseconds. */
  readonly deadlineMs: number
  /** Ends every wait. */
  readonly closing: AbortSignal
}

/**
 * Bounded memory for blocks on their way. Callers wait for it in turn; it holds no names, so nothing in it can be found. Whoever
 * copies pins what it copies, so that blocks lent to a caller who gave up are not lent again before the copy has ended.
 */
export class Staging {
  readonly store: TierStore<'staging'>
  readonly #transfers: Transfers
  readonly #deadlineMs: number
  readonly #closing: AbortSignal

  constructor({ store, transfers, deadlineMs, closing }: StagingOptions) {
    this.store = store
    this.#transfers = transfers
    this.#deadlineMs = deadlineMs
    this.#closing = closing
  }

  /** Blocks of the whole area: the most that one `use` can have. */
  get blocksMax(): number {
    return this.store.pool.total
  }

  /** Lends `count` blocks to `use`, waiting for them if need be. What `use` has begun in several steps, `close()` lets end. */
  async use<T>(count: number, signal: AbortSignal | undefined, use: (staged: MutableBlocks) => Promise<T>): Promise<T> {
    using staged = await following([signal, this.#closing], (patience) =>
      this.store.acquire(count, { signal: patience, deadlineMs: this.#deadlineMs }),
    )
    return await this.#transfers.track(use(staged))
  }
}
