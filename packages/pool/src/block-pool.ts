import {
  BLOCKS_MAX,
  type BlockHashes,
  ClosedError,
  checkWait,
  type EventManager,
  type HashAlgorithm,
  invalidArgument,
  nonNegativeInteger,
  PoolExhaustedError,
  positiveInteger,
  type RemovalReason,
  type TierName,
} from '@kvbm/core'
import { BlockStore, type DuplicatePolicy } from './block-store.js'
import { hold, type ImmutableBlocks, MutableBlocks } from './blocks.js'
import { checkCompatible, checkIds, checkNameable, checkRestorable } from './checks.js'
import type { Grip, Holdings } from './grip.js'
import { checkCustody } from './invariants.js'
import { LeakAlarm, type LeakMode } from './leak-alarm.js'
import { Notifier, type PoolObserver } from './notifier.js'
import { PoolCounters } from './pool-counters.js'
import type { PoolFacts, PoolStats } from './pool-facts.js'
import type { Registrar } from './registrar.js'
import type { RestoredBlocks } from './restore.js'
import { Waiters, type WaitOptions } from './waiters.js'

/** What a pool is: how many blocks, which names, who is told. */
export interface BlockPoolOptions {
  /** Blocks of the pool, at most 2²⁷. */
  readonly numBlocks: number
  /** Tokens per block; hashes of another page size are refused. */
  readonly pageSize: number
  /** Hashes of another algorithm are refused. Default 'sha256'. */
  readonly hashAlgorithm?: HashAlgorithm | undefined
  /** Named in events. */
  readonly tier?: TierName | undefined
  /** What `register` does with a hash that is in the pool already. Default 'allow'. */
  readonly duplicates?: DuplicatePolicy | undefined
  /** Who alone may name blocks, by showing itself to `register`. Default: every holder of filled blocks. */
  readonly registrar?: Registrar | undefined
  /** Callers of `acquire` allowed to wait; further ones fail at once. Default 1024. */
  readonly waitersMax?: number | undefined
  readonly eventManager?: EventManager | undefined
  readonly observer?: PoolObserver | undefined
  /** Watches for handles lost without release. Default 'off' if NODE_ENV is 'production', else 'count'. */
  readonly leaks?: LeakMode | undefined
}

/** Why blocks are discarded, and whether their place is used again. */
export interface DiscardOptions {
  /** Told in the `removed` event. */
  readonly reason: RemovalReason
  /** The blocks are not handed out again until `unquarantine`. Default false: they become free. */
  readonly quarantine?: boolean | undefined
}

/** What became of the blocks given to `resetBlocks`. */
export interface ResetReport {
  readonly reset: number
  readonly notFound: number
  readonly held: number
}

/**
 * Who holds block n of one tier: states, names, eviction and admission; never a byte. Blocks come in runs, each state is a class,
 * and a transition consumes the handle it was called on. Everything but `acquire` is synchronous.
 */
export class BlockPool implements PoolFacts {
  readonly total: number
  readonly pageSize: number
  readonly hashAlgorithm: HashAlgorithm
  readonly tier: TierName | undefined
  readonly #store: BlockStore
  readonly #waiters: Waiters<MutableBlocks>
  readonly #waitersMax: number
  readonly #notifier: Notifier
  readonly #counters = new PoolCounters()
  readonly #alarm: LeakAlarm
  readonly #holdings: Holdings
  #handles = 0
  #closed = false

  constructor(options: BlockPoolOptions) {
    this.total = positiveInteger('numBlocks', options.numBlocks)
    if (this.total > BLOCKS_MAX) throw invalidArgument('numBlocks', `at most ${BLOCKS_MAX}`, this.total)
    this.pageSize = positiveInteger('pageSize', options.pageSize)
    this.hashAlgorithm = options.hashAlgorithm ?? 'sha256'
    this.tier = options.tier
    this.#waitersMax = nonNegativeInteger('waitersMax', options.waitersMax ?? 1024)
    const counters = this.#counters
    const { eventManager, observer, tier } = options
    this.#alarm = new LeakAlarm(options.leaks ?? defaultLeakMode(), counters)
    this.#notifier = new Notifier({ eventManager, observer, tier, counters })
    this.#store = new BlockStore({
      numBlocks: this.total,
      counters,
      notifier: this.#notifier,
      onAvailable: () => this.#serve(),
    })
    this.#waiters = new Waiters(() => this.#waiterFailed())
    this.#holdings = this.#makeHoldings(options.duplicates ?? 'allow', options.registrar)
  }

  get free(): number {
    return this.#store.custody.freeList.size
  }

  get inactive(): number {
    return this.#store.custody.inactiveList.size
  }

  get held(): number {
    return this.#store.custody.held
  }

  get quarantined(): number {
    return this.#store.custody.quarantined
  }

  get available(): number {
    return this.#store.custody.available
  }

  /** Callers of `acquire` that wait now. */
  get waiting(): number {
    return this.#waiters.size
  }

  /**
   * `count` blocks to fill, or `PoolExhaustedError` and nothing. Free blocks first, then cached ones, the least recently used
   * first. While callers wait in `acquire`, what comes back belongs to them: this fails even if some blocks are available.
   */
  allocate(count: number): MutableBlocks {
    this.#assertOpen()
    nonNegativeInteger('count', count)
    if (count > this.#unreserved) throw this.#exhausted(count)
    return this.#take(count)
  }

  /** As many blocks as can be had without waiting, 0 to `count`. None while callers wait in `acquire`. */
  allocateUpTo(count: number): MutableBlocks {
    this.#assertOpen()
    nonNegativeInteger('count', count)
    if (count > this.#unreserved) this.#counters.exhausted++
    return this.#take(Math.min(count, this.#unreserved))
  }

  /**
   * Waits for `count` blocks, first come first served. Rejects with the signal's reason, `DeadlineError`, `ClosedError`, or
   * `PoolExhaustedError` at once when too many wait already or so many blocks can never be had.
   */
  async acquire(count: number, options: WaitOptions = {}): Promise<MutableBlocks> {
    this.#assertOpen()
    nonNegativeInteger('count', count)
    checkWait(options)
    options.signal?.throwIfAborted()
    if (count <= this.#unreserved) return this.#take(count)
    if (count > this.#usable || this.#waiters.size >= this.#waitersMax) throw this.#exhausted(count)
    this.#counters.waits++
    return this.#waiters.wait(count, options)
  }

  /** The longest prefix of `hashes` that is in the pool, held; an empty handle when the first is not. */
  match(hashes: BlockHashes): ImmutableBlocks {
    const blocks = this.peek(hashes)
    this.#counters.hits += blocks.count
    this.#counters.misses += hashes.count - blocks.count
    return blocks
  }

  /** Like `match`, for work in the background: counts neither hits nor misses. */
  peek(hashes: BlockHashes): ImmutableBlocks {
    return hold(this.#holdings, hashes)
  }

  /** Length of the prefix that `match` would find. Holds, touches and counts nothing. */
  matchCount(hashes: BlockHashes): number {
    this.#check(hashes)
    return this.#store.prefix(hashes)
  }

  /** 1 for every hash that is in the pool; does not stop at a miss. Holds, touches and counts nothing. */
  scan(hashes: BlockHashes): Uint8Array {
    this.#check(hashes)
    return this.#store.scan(hashes)
  }

  /** Makes the prefix that is here the most recently used, its tail first. Returns its length. */
  touch(hashes: BlockHashes): number {
    using blocks = this.peek(hashes)
    return blocks.count
  }

  /** Forgets every cached block. Throws `RangeError` while blocks are held. */
  reset(): void {
    this.#assertOpen()
    if (this.held > 0) {
      throw new RangeError(
        `reset: ${this.held} of ${this.total} blocks are held. Release them, or name the blocks to forget: resetBlocks(hashes).`,
      )
    }
    this.#store.reset([...this.#store.custody.inactiveList])
  }

  /** Forgets those of these blocks that are cached and held by nobody. Does not stop at a miss. */
  resetBlocks(hashes: BlockHashes): ResetReport {
    this.#check(hashes)
    return this.#store.resetNamed(hashes)
  }

  /**
   * Puts cached blocks of an earlier process into an empty pool, given in the order of eviction. Emits `stored`. Throws `RangeError`
   * and changes nothing when the pool is in use, an id is out of range or stands twice, a hash stands twice, or lengths do not fit.
   */
  restore(blocks: RestoredBlocks): void {
    this.#assertOpen()
    checkRestorable(this.#store.custody, blocks)
    const twice = this.#store.restore(blocks, { algorithm: this.hashAlgorithm, pageSize: this.pageSize })
    if (twice !== undefined) throw invalidArgument(`hashes[${twice}]`, 'every hash once', 'a hash of an earlier row')
  }

  /**
   * Takes blocks out of use whatever state they are in: they cannot be found from now on, and are freed (or quarantined) now, or
   * after the last release of handles that hold them. A handle on filled blocks that were discarded can no longer be registered.
   */
  discard(ids: Uint32Array, { reason, quarantine = false }: DiscardOptions): void {
    this.#assertOpen()
    checkIds(this.#store.custody.table, ids)
    this.#store.discard(ids, reason, quarantine)
    this.#waiters.rejectWhere((count) => (count > this.#usable ? this.#exhausted(count) : undefined))
  }

  /** Ends the quarantine of blocks, also of those that would go there at their last release. Others are left as they are. */
  unquarantine(ids: Uint32Array): void {
    this.#assertOpen()
    checkIds(this.#store.custody.table, ids)
    this.#store.unquarantine(ids)
  }

  setObserver(observer: PoolObserver | undefined): void {
    this.#notifier.observer = observer
  }

  stats(): PoolStats {
    return { ...this.#counters }
  }

  /** Walks every index, list and count, and compares it with the table. Throws at the first difference. For tests; slow. */
  checkInvariants(): void {
    checkCustody(this.#store.custody)
  }

  /**
   * Rejects everybody who waits. Afterwards every call throws `ClosedError`, except that releasing handles does nothing and
   * counts stay readable. Warns when blocks are still held (unless `leaks` is 'off'). Idempotent.
   */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#waiters.rejectWhere(() => new ClosedError('block pool'))
    if (this.held > 0) this.#alarm.closedWith(this.held, this.#handles)
  }

  /** What can be handed out without passing by those who wait. */
  get #unreserved(): number {
    return this.#waiters.size > 0 ? 0 : this.#store.custody.available
  }

  /** Blocks that could be had if everybody released what they hold. */
  get #usable(): number {
    return this.total - this.#store.custody.condemned
  }

  #take(count: number): MutableBlocks {
    return new MutableBlocks(this.#holdings, this.#store.take(count))
  }

  #serve(): void {
    if (this.#waiters.size === 0 || this.#closed) return
    this.#waiters.serve((count) => (count <= this.#store.custody.available ? this.#take(count) : undefined))
  }

  #waiterFailed(): void {
    this.#counters.waitsFailed++
    this.#serve()
  }

  #exhausted(requested: number): PoolExhaustedError {
    this.#counters.exhausted++
    return new PoolExhaustedError({ requested, available: this.available, total: this.total, waiting: this.waiting })
  }

  #assertOpen(): void {
    if (this.#closed) throw new ClosedError('block pool')
  }

  #check(hashes: BlockHashes): void {
    this.#assertOpen()
    checkCompatible(this, hashes)
  }

  #opened(handle: object, grip: Grip): void {
    this.#handles++
    this.#alarm.watch(handle, grip)
  }

  #makeHoldings(duplicates: DuplicatePolicy, registrar: Registrar | undefined): Holdings {
    const store = this.#store
    return {
      facts: this,
      duplicates,
      registrar,
      opened: (handle, grip) => this.#opened(handle, grip),
      closed: (grip) => {
        this.#handles--
        this.#alarm.forget(grip)
      },
      checkNames: (ids, hashes) => {
        this.#check(hashes)
        checkNameable(store.custody.table, ids, hashes)
      },
      complete: (ids) => store.complete(ids),
      register: (ids, hashes, policy) => store.register(ids, hashes, policy),
      retain: (ids) => {
        this.#assertOpen()
        store.retain(ids)
      },
      release: (ids) => {
        if (!this.#closed) store.release(ids)
      },
      find: (hashes) => {
        this.#check(hashes)
        return store.match(hashes)
      },
    }
  }
}

function defaultLeakMode(): LeakMode {
  return process.env.NODE_ENV === 'production' ? 'off' : 'count'
}
