import { BlockConsumedError, type BlockHashes } from '@kvbm/core'
import type { DuplicatePolicy } from './block-store.js'
import { Filling } from './filling.js'
import type { PoolFacts } from './pool-facts.js'
import type { Registrar } from './registrar.js'

export type HandleName = 'MutableBlocks' | 'CompleteBlocks' | 'ImmutableBlocks'

/** What handles ask of their pool. */
export interface Holdings {
  readonly facts: PoolFacts
  readonly duplicates: DuplicatePolicy
  readonly registrar: Registrar | undefined
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
 * forgotten and lets the leak alarm give the blocks back. Invariant: open until exactly one transition, release or leak closes it;
 * no transition closes it while something fills its blocks.
 */
export class Grip {
  readonly holdings: Holdings
  readonly handle: HandleName
  /** Where the handle was made, when leaks are traced. */
  site: string | undefined
  readonly #ids: Uint32Array
  #consumedBy: string | undefined
  #filling: Filling | undefined

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

  /** Ends when nothing fills the blocks any more; undefined when nothing does. */
  get filling(): Promise<void> | undefined {
    void this.ids
    return this.#filling?.ended
  }

  /** One more holder of the blocks, without a handle. */
  pin(): () => void {
    const { holdings, ids } = this
    holdings.retain(ids)
    return once(() => holdings.release(ids))
  }

  /** The same for a copy into the blocks, which nobody may name before it has ended. */
  fill(): () => void {
    const unpin = this.pin()
    this.#filling ??= new Filling()
    const filling = this.#filling
    filling.enter()
    return once(() => {
      if (filling.leave()) this.#filling = undefined
      unpin()
    })
  }

  /** Throws `RangeError` while the blocks are being filled. */
  expectFilled(by: string): void {
    if (this.#filling === undefined) return
    throw new RangeError(
      `${by}: something still writes to these ${this.count} blocks. Await it first; after an abort, write them again or release them.`,
    )
  }

  /** The blocks go over to what `by` makes of them. Throws `RangeError` while they are being filled. */
  consume(by: string): void {
    this.expectFilled(by)
    this.#close(by)
  }

  /** Gives the blocks back. Does nothing when they are gone. */
  release(by = 'release()'): void {
    if (this.#consumedBy !== undefined) return
    this.#close(by)
    this.holdings.release(this.#ids)
  }

  #close(by: string): void {
    this.#consumedBy = by
    this.holdings.closed(this)
  }
}

function once(act: () => void): () => void {
  let isDone = false
  return () => {
    if (!isDone) act()
    isDone = true
  }
}
