import { type BlockHashes, invalidArgument } from '@kvbm/core'
import type { DuplicatePolicy } from './block-store.js'
import { Grip, type HandleName, type Holdings } from './grip.js'
import type { PoolFacts } from './pool-facts.js'
import { expectRegistrar, type Registrar } from './registrar.js'

/** What `register` may do differently this time. */
export interface RegisterOptions {
  /** What to do with a block whose hash is in the pool already. Default: the pool's `duplicates`. */
  readonly duplicates?: DuplicatePolicy | undefined
  /** The pool's own, where it has one; without it `register` throws `TypeError` there. */
  readonly registrar?: Registrar | undefined
}

/** What all handles on blocks have: a number of blocks of one pool, held until the handle is consumed or released. */
abstract class BlockRun implements Disposable {
  /** Number of blocks, also after the handle was consumed. */
  readonly count: number
  readonly #grip: Grip

  constructor(grip: Grip) {
    this.#grip = grip
    this.count = grip.count
    grip.holdings.opened(this, grip)
  }

  /** The pool of the blocks, to be compared and asked. */
  get pool(): PoolFacts {
    return this.#grip.holdings.facts
  }

  /** Ids of the blocks, 0 to `numBlocks − 1`, in order. The handle's own array: do not write into it. */
  get ids(): Uint32Array {
    return this.#grip.ids
  }

  /** Gives the blocks back, the last one first. Does nothing when the handle was released or consumed before. */
  release(): void {
    this.#grip.release()
  }

  /**
   * Keeps the blocks from being handed out to others until the returned function is called, whatever becomes of this handle:
   * for a copy that goes on after its caller has given up. A pin is no handle: it names nothing and nothing can be done with it.
   */
  pin(): () => void {
    return this.#grip.pin()
  }

  [Symbol.dispose](): void {
    this.#grip.release()
  }
}

function grip(holdings: Holdings, handle: HandleName, ids: Uint32Array): Grip {
  return new Grip(holdings, handle, ids)
}

function checkSplit(at: number, count: number): void {
  if (!Number.isInteger(at) || at < 0 || at > count) throw invalidArgument('at', `an integer from 0 to ${count}`, at)
}

/** Blocks without a name, for one holder to fill. Nobody else can find them. */
export class MutableBlocks extends BlockRun {
  readonly #grip: Grip

  /** Made by `BlockPool.allocate`, `allocateUpTo` and `acquire`. */
  constructor(holdings: Holdings, ids: Uint32Array) {
    const own = grip(holdings, 'MutableBlocks', ids)
    super(own)
    this.#grip = own
  }

  /** Resolves when nothing fills the blocks any more; undefined when nothing does. */
  get filling(): Promise<void> | undefined {
    return this.#grip.filling
  }

  /**
   * `pin()` for a copy into the blocks: until the returned function is called this handle can be released, but every transition
   * throws `RangeError`, so that nobody finds blocks that are still being written. There may be several; whoever wants to be the
   * only one awaits `filling` before.
   */
  fill(): () => void {
    return this.#grip.fill()
  }

  /**
   * Says that all blocks are filled and what their names are; others still cannot find them. Consumes this handle.
   * Throws `RangeError` when the hashes are not as many as the blocks or not of the pool's kind, or while something fills the
   * blocks, and `TypeError` where a registrar alone gives names; then the handle stays valid.
   */
  complete(hashes: BlockHashes): CompleteBlocks {
    const { holdings, ids } = this.#grip
    expectRegistrar('complete()', holdings.registrar)
    holdings.checkNames(ids, hashes)
    this.#grip.consume('complete()')
    holdings.complete(ids)
    return new CompleteBlocks(holdings, ids, hashes)
  }

  /** Throws what the registrar's `register(hashes)` would throw now, and changes nothing: it has to write the names down before. */
  expectNameable(hashes: BlockHashes): void {
    const { holdings, ids } = this.#grip
    holdings.checkNames(ids, hashes)
    this.#grip.expectFilled('register()')
  }

  /** `complete` and `CompleteBlocks.register` in one step: all blocks or none. Consumes this handle; throws as `complete` does. */
  register(hashes: BlockHashes, options: RegisterOptions = {}): ImmutableBlocks {
    return register(this.#grip, hashes, options)
  }

  /** The first `at` blocks, and the others. Consumes this handle. */
  split(at: number): [MutableBlocks, MutableBlocks] {
    const { holdings, ids } = this.#grip
    checkSplit(at, ids.length)
    this.#grip.consume('split()')
    return [new MutableBlocks(holdings, ids.subarray(0, at)), new MutableBlocks(holdings, ids.subarray(at))]
  }
}

/** Filled blocks whose names are known but not published. */
export class CompleteBlocks extends BlockRun {
  readonly #grip: Grip
  readonly #hashes: BlockHashes

  constructor(holdings: Holdings, ids: Uint32Array, hashes: BlockHashes) {
    const own = grip(holdings, 'CompleteBlocks', ids)
    super(own)
    this.#grip = own
    this.#hashes = hashes
  }

  /** Names of the blocks, as many as there are. */
  get hashes(): BlockHashes {
    void this.#grip.ids
    return this.#hashes
  }

  /**
   * Publishes the names: from now on `match` finds the blocks. All or none. Consumes this handle.
   *
   * A block whose hash is in the pool already stays a duplicate ('allow'): held here under its own id, never found, free after
   * its last release; the primary is kept for as long. Or it is freed at once and the handle gets the primary's id ('reject').
   */
  register(options: RegisterOptions = {}): ImmutableBlocks {
    return register(this.#grip, this.hashes, options)
  }

  /** The first `at` blocks, and the others. Consumes this handle. */
  split(at: number): [CompleteBlocks, CompleteBlocks] {
    const { holdings, ids } = this.#grip
    const hashes = this.#hashes
    checkSplit(at, ids.length)
    this.#grip.consume('split()')
    return [
      new CompleteBlocks(holdings, ids.subarray(0, at), hashes.subarray(0, at)),
      new CompleteBlocks(holdings, ids.subarray(at), hashes.subarray(at)),
    ]
  }
}

/** Named blocks that others may hold too: not to be written, and not evicted while they are held. */
export class ImmutableBlocks extends BlockRun {
  readonly #grip: Grip
  readonly #hashes: BlockHashes

  constructor(holdings: Holdings, ids: Uint32Array, hashes: BlockHashes) {
    const own = grip(holdings, 'ImmutableBlocks', ids)
    super(own)
    this.#grip = own
    this.#hashes = hashes
  }

  /** Names of the blocks, as many as there are. */
  get hashes(): BlockHashes {
    void this.#grip.ids
    return this.#hashes
  }

  /** A second handle on the same blocks, released on its own. Does not consume this one. */
  retain(): ImmutableBlocks {
    const { holdings, ids } = this.#grip
    holdings.retain(ids)
    return new ImmutableBlocks(holdings, ids, this.#hashes)
  }

  /** Remembers the blocks without holding them. Does not consume this handle. */
  downgrade(): WeakBlocks {
    return new WeakBlocks(this.#grip.holdings, this.hashes)
  }

  /** The first `at` blocks, and the others. Consumes this handle. */
  split(at: number): [ImmutableBlocks, ImmutableBlocks] {
    const { holdings, ids } = this.#grip
    const hashes = this.#hashes
    checkSplit(at, ids.length)
    this.#grip.consume('split()')
    return [
      new ImmutableBlocks(holdings, ids.subarray(0, at), hashes.subarray(0, at)),
      new ImmutableBlocks(holdings, ids.subarray(at), hashes.subarray(at)),
    ]
  }
}

/**
 * Names of blocks that were held once, for work that waits in a queue. It holds nothing: the blocks may be evicted. A name stands
 * for content, so `upgrade` finds the same content again under whatever id it has by then.
 */
export class WeakBlocks implements Disposable {
  /** Number of names. */
  readonly count: number
  readonly #holdings: Holdings
  readonly #hashes: BlockHashes

  constructor(holdings: Holdings, hashes: BlockHashes) {
    this.count = hashes.count
    this.#holdings = holdings
    this.#hashes = hashes
  }

  get pool(): PoolFacts {
    return this.#holdings.facts
  }

  get hashes(): BlockHashes {
    return this.#hashes
  }

  /** The longest prefix that is still in the pool, held; an empty handle when nothing is. Counts neither hits nor misses. */
  upgrade(): ImmutableBlocks {
    return hold(this.#holdings, this.#hashes)
  }

  /** Nothing to give back; here so that all handles can be treated alike. */
  release(): void {}

  [Symbol.dispose](): void {}
}

/** The longest prefix of `hashes` that is in the pool, held. */
export function hold(holdings: Holdings, hashes: BlockHashes): ImmutableBlocks {
  const ids = holdings.find(hashes)
  return new ImmutableBlocks(holdings, ids, ids.length === hashes.count ? hashes : hashes.subarray(0, ids.length))
}

function register(from: Grip, hashes: BlockHashes, { duplicates, registrar }: RegisterOptions): ImmutableBlocks {
  const { holdings, ids } = from
  expectRegistrar('register()', holdings.registrar, registrar)
  holdings.checkNames(ids, hashes)
  from.consume('register()')
  return new ImmutableBlocks(holdings, holdings.register(ids, hashes, duplicates ?? holdings.duplicates), hashes)
}
