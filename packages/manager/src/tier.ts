import type { BlockHashes, TierName } from '@kvbm/core'
import type { ImmutableBlocks, MutableBlocks, ResetReport } from '@kvbm/pool'
import { following, patiently, type WaitOptions } from './patience.js'
import type { TierStore } from './tier-store.js'

/** What the user sees of a tier: `manager.host`. After `close()` everything but its numbers throws `ClosedError`. */
export class Tier<N extends TierName = TierName> {
  readonly name: N
  readonly #store: TierStore<N>
  readonly #closing: AbortSignal

  constructor(store: TierStore<N>, closing: AbortSignal) {
    this.name = store.name
    this.#store = store
    this.#closing = closing
  }

  /** Blocks of this tier. */
  get numBlocks(): number {
    return this.#store.pool.total
  }

  /** Blocks that `allocate` could give now: free ones, and cached ones that nobody holds. */
  get available(): number {
    return this.#store.pool.available
  }

  /** `count` blocks to write into, or `PoolExhaustedError` and nothing. Evicts the least recently used cached blocks. */
  allocate(count: number): MutableBlocks {
    return this.#open().allocate(count)
  }

  /** As many blocks as there are, at most `count`. */
  allocateUpTo(count: number): MutableBlocks {
    return this.#open().allocateUpTo(count)
  }

  /**
   * Waits for `count` blocks, first come first served. Rejects with `DeadlineError`, the signal's reason, `ClosedError`, or
   * `PoolExhaustedError` where so many can never be had or too many wait already.
   */
  async acquire(count: number, wait: WaitOptions = {}): Promise<MutableBlocks> {
    const store = this.#open()
    return patiently(`Waiting for ${count} ${this.name} blocks`, wait, (patience) =>
      following([patience, this.#closing], (signal) => store.acquire(count, { signal })),
    )
  }

  /** The longest prefix of `hashes` that is in this tier, held until released. */
  match(hashes: BlockHashes): ImmutableBlocks {
    return this.#open().pool.match(hashes)
  }

  /** 1 for every hash that is in this tier; does not stop at a miss, holds and touches nothing. */
  scan(hashes: BlockHashes): Uint8Array {
    return this.#open().pool.scan(hashes)
  }

  /** Makes the prefix of `hashes` that is here the most recently used; returns its length in blocks. */
  touch(hashes: BlockHashes): number {
    return this.#open().pool.touch(hashes)
  }

  /** Forgets every cached block, on disk for later processes, too. Rejects with `RangeError` while blocks are held. */
  async reset(): Promise<void> {
    await this.#open().reset()
  }

  /** Forgets those of these blocks that are held by nobody, on disk for later processes, too. Does not stop at a miss. */
  async resetBlocks(hashes: BlockHashes): Promise<ResetReport> {
    return this.#open().resetBlocks(hashes)
  }

  #open(): TierStore<N> {
    this.#closing.throwIfAborted()
    return this.#store
  }
}
