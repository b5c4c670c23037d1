import { type BlockHashes, KvbmError, type TierName } from '@kvbm/core'
import type { ImmutableBlocks } from '@kvbm/pool'
import type { Counters, DropReason } from './counters.js'
import { missingPrefix } from './missing-prefix.js'
import type { Mover } from './mover.js'
import { sliceRun } from './slice-run.js'
import { isTierFailure } from './tier-health.js'
import type { TierStore } from './tier-store.js'
import type { Transfers } from './transfers.js'

/** What became of the blocks given to `offload`. `offered = copied + present + Σ dropped`. */
export interface OffloadReport {
  readonly to: TierName
  readonly offered: number
  /** Copied, verified and registered by this call. */
  readonly copied: number
  /** Already there, or brought by another copy meanwhile. */
  readonly present: number
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>
  readonly bytes: number
  /** Why blocks were dropped for `io-error`; the tier's state says the same. */
  readonly failure?: KvbmError
}

export interface OffloadTools {
  readonly transfers: Transfers
  readonly mover: Mover
  readonly counters: Counters
  /** Blocks of one copy. */
  readonly batchMax: number
}

export interface OffloadOrder {
  readonly from: TierStore<TierName>
  /** Stays the caller's. */
  readonly source: ImmutableBlocks
  readonly to: TierStore<TierName>
  readonly signal?: AbortSignal | undefined
}

/**
 * Copies the blocks of one run that the target lacks. Never waits for a free block: what has no place is dropped and counted. What
 * a run has in the target it holds until it ends, so that a run longer than the target keeps its head.
 */
export class OffloadRun {
  readonly #order: OffloadOrder
  readonly #tools: OffloadTools
  readonly #kept: ImmutableBlocks[] = []
  readonly #dropped: Partial<Record<DropReason, number>> = {}
  #copied = 0
  #present = 0
  #failure: KvbmError | undefined

  constructor(order: OffloadOrder, tools: OffloadTools) {
    this.#order = order
    this.#tools = tools
  }

  /**
   * Resolves with a report, also when the target failed: then what is left was dropped for `io-error`. Rejects with the signal's
   * reason, `DeadlineError` or `ClosedError`; what is left is counted as dropped then, too.
   */
  async carryOut(): Promise<OffloadReport> {
    using source = this.#order.source.retain()
    let done = 0
    try {
      while (done < source.count) done += await this.#step(source, done)
    } catch (error) {
      this.#drop(this.#reasonOf(error), source.count - done)
      if (!isTierFailure(error) || KvbmError.is(error, 'KVBM_DEADLINE')) throw error
      this.#failure = error
    } finally {
      for (const blocks of this.#kept.reverse()) blocks.release()
    }
    return this.#report(source.count)
  }

  /** Settles the fate of some blocks from `at` on, and returns how many. 0 after waiting for a copy of somebody else. */
  async #step(source: ImmutableBlocks, at: number): Promise<number> {
    const { to, signal } = this.#order
    const { transfers, batchMax } = this.#tools
    transfers.admit(signal)
    const batch = source.hashes.subarray(at, at + batchMax)
    const present = to.peek(batch)
    this.#kept.push(present)
    this.#present += present.count
    if (present.count > 0) return present.count
    if (to.isReadOnly) return this.#drop('read-only', missingPrefix(batch, to).count)
    const others = to.inFlight.of(batch, 0)
    if (others === undefined) return this.#copy(source, at, missingPrefix(batch, to))
    await transfers.wait(others, `Waiting for another copy to ${to.name}`, signal)
    return 0
  }

  async #copy(source: ImmutableBlocks, at: number, wanted: BlockHashes): Promise<number> {
    const { from, to, signal } = this.#order
    const target = to.allocateUpTo(wanted.count)
    const granted = target.count
    if (granted > 0) {
      using part = sliceRun(source, at, granted)
      const arrived = await this.#tools.mover.move({ from, source: part, to, target, signal })
      this.#kept.push(arrived)
      this.#copied += arrived.count
      if (arrived.count < granted) return arrived.count + this.#drop('corrupt', 1)
    }
    return granted + this.#drop('target-full', wanted.count - granted)
  }

  #drop(reason: DropReason, count: number): number {
    if (count === 0) return 0
    const { from, to } = this.#order
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + count
    this.#tools.counters.drop(from.name, to.name, reason, count)
    return count
  }

  #reasonOf(error: unknown): DropReason {
    const { signal } = this.#order
    if (KvbmError.is(error, 'KVBM_CLOSED')) return 'closed'
    if (KvbmError.is(error, 'KVBM_DEADLINE')) return 'deadline'
    return signal?.aborted === true && error === signal.reason ? 'cancelled' : 'io-error'
  }

  #report(offered: number): OffloadReport {
    const { to } = this.#order
    const counts = { to: to.name, offered, copied: this.#copied, present: this.#present, dropped: this.#dropped }
    const failure = this.#failure === undefined ? {} : { failure: this.#failure }
    return { ...counts, bytes: this.#copied * to.blockBytes, ...failure }
  }
}
