import type { BlockHashes, TierName } from '@kvbm/core'
import type { ImmutableBlocks, MutableBlocks, ResetReport } from '@kvbm/pool'
import { following, patiently, type WaitOptions } from './patience.js'
import type { TierStore } from './tier-store.js'

export interface TierOptions<N extends TierName> {
  /** May give another one later. */
  readonly store: () => TierStore<N>
  readonly closing: AbortSignal
  /** Only of a disk tier that is read beside another process. */
  readonly look?: (() => Promise<void> | undefined) | undefined
}

/** What the user sees of a tier: `manager.host`. After `close()` everything but its numbers throws `ClosedError`. */
export class Tier<N extends TierName = TierName> {
  readonly name: N
  readonly #options: TierOptions<N>

  constructor(options: TierOptions<N>) {
    this.name = options.store().name
    this.#options = options
  }

  /** Blocks of this tier. */
  get numBlocks(): number {
    return this.#options.store().counts.total
  }

  /** Blocks that `allocate` could give now: free ones, and cached ones that nobody holds. */
  get available(): number {
    return this.#options.store().available
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
      following([patience, this.#options.closing], (signal) => store.acquire(count, { signal })),
    )
  }

  /** The longest prefix of `hashes` that is in this tier, held until released. */
  match(hashes: BlockHashes): ImmutableBlocks {
    return this.#open().match(hashes)
  }

  /** 1 for every hash that is in this tier; does not stop at a miss, holds and touches nothing. */
  scan(hashes: BlockHashes): Uint8Array {
    return this.#open().scan(hashes)
  }

  /** Makes the prefix of `hashes` that is here the most recently used; returns its length in blocks. */
  touch(hashes: BlockHashes): number {
    return this.#open().touch(hashes)
  }

  /**
   * Beside another process that writes this disk tier: finds what it stored meanwhile, or takes over where it is gone. That happens
   * from time to time anyway; elsewhere there is nothing to do. Never rejects because of what lies on disk.
   */
  async refresh(): Promise<void> {
    this.#open()
    await this.#options.look?.()
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
    this.#options.closing.throwIfAborted()
    return this.#options.store()
  }
}
