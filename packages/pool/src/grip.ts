import { BlockConsumedError, type BlockHashes } from '@kvbm/core'
import type { DuplicatePolicy } from './block-store.js'
import type { PoolFacts } from './pool-facts.js'

export type HandleName = 'MutableBlocks' | 'CompleteBlocks' | 'ImmutableBlocks'

/** What handles ask of their pool. */
export interface Holdings {
  readonly facts: PoolFacts
  readonly duplicates: DuplicatePolicy
  opened(handle: object, grip: Grip): void
  closed(grip: Grip): void
  /** Throws when the hashes cannot name these blocks. */
  checkNames(ids: Uint32Array, hashes: BlockHashes): void
  complete(ids: Uint32Array): void
  register(ids: Uint32Array, hashes: BlockHashes, policy: DuplicatePolicy): Uint32Array
  retain(ids: Uint32Array): void
  release(ids: Uint32Array): void
  find(hashes: BlockHashes): Uint32Array
}

/**
 * What a handle holds in its hand. It is the handle's only state and does not know the handle, so it outlives one that was
 * forgotten and lets the leak alarm give the blocks back. Invariant: open until exactly one transition, release or leak closes it.
 */
export class Grip {
  readonly holdings: Holdings
  readonly handle: HandleName
  /** Where the handle was made, when leaks are traced. */
  site: string | undefined
  readonly #ids: Uint32Array
  #consumedBy: string | undefined

  constructor(holdings: Holdings, handle: HandleName, ids: Uint32Array) {
    this.holdings = holdings
    this.handle = handle
    this.#ids = ids
  }

  get count(): number {
    return this.#ids.length
  }

  get ids(): Uint32Array {
    if (this.#consumedBy !== undefined) throw new BlockConsumedError(this.handle, this.#consumedBy)
    return this.#ids
  }

  /** One more holder of the blocks, without a handle. */
  pin(): () => void {
    const { holdings, ids } = this
    holdings.retain(ids)
    let isPinned = true
    return () => {
      if (isPinned) holdings.release(ids)
      isPinned = false
    }
  }

  /** The blocks go over to what `by` makes of them. */
  consume(by: string): void {
    this.#consumedBy = by
    this.holdings.closed(this)
  }

  /** Gives the blocks back. Does nothing when they are gone. */
  release(by = 'release()'): void {
    if (this.#consumedBy !== undefined) return
    this.consume(by)
    this.holdings.release(this.#ids)
  }
}
