import { attempt, type BlockHashes, type Logger, type OffloadFilter, type TierName } from '@kvbm/core'
import type { DropReason } from './counters.js'
import { OffloadRun, type OffloadTools } from './offload-run.js'
import type { TierStore } from './tier-store.js'

export interface OffloadQueueOptions {
  readonly from: TierStore<TierName>
  /** The tier below, which may be replaced by another of its name. */
  readonly to: () => TierStore<TierName>
  readonly filter?: OffloadFilter | undefined
  readonly tools: OffloadTools
  readonly logger: Logger
  /** Blocks that may wait; further ones are dropped and counted. */
  readonly queueMax: number
  /** Copies in flight at once. */
  readonly concurrency: number
}

/** Write-through between two neighbouring tiers. Invariant: the queue holds names, not blocks, so waiting work pins nothing. */
export class OffloadQueue {
  readonly edge: { readonly from: TierName; readonly to: TierName }
  readonly #options: OffloadQueueOptions
  readonly #queue: BlockHashes[] = []
  readonly #running = new Set<Promise<void>>()
  #queuedBlocks = 0
  #isClosed = false
  #filterFailures = 0

  constructor(options: OffloadQueueOptions) {
    this.edge = Object.freeze({ from: options.from.name, to: options.to().name })
    this.#options = options
  }

  /** Blocks waiting. */
  get queued(): number {
    return this.#queuedBlocks
  }

  /** Copies in flight. */
  get running(): number {
    return this.#running.size
  }

  /** Offers blocks that were just registered above. Returns at once. */
  offer(hashes: BlockHashes): void {
    for (const wanted of this.#wanted(hashes)) this.#enqueue(wanted)
    this.#pump()
  }

  /** Resolves when nothing waits and nothing runs. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  /** Drops what waits; copies in flight go on. */
  close(): void {
    this.#isClosed = true
    this.#drop('closed', this.#queuedBlocks)
    this.#queue.length = 0
    this.#queuedBlocks = 0
  }

  /** Runs of blocks that the filter lets pass. */
  *#wanted(hashes: BlockHashes): Generator<BlockHashes> {
    const { filter } = this.#options
    if (filter === undefined) {
      yield hashes
      return
    }
    let from = 0
    for (let index = 0; index < hashes.count; index++) {
      if (this.#passes(filter, hashes, index)) continue
      this.#drop('filtered', 1)
      if (index > from) yield hashes.subarray(from, index)
      from = index + 1
    }
    if (from < hashes.count) yield hashes.subarray(from)
  }

  /** A filter that throws, or does not answer true or false at once, refuses the block. */
  #passes(filter: OffloadFilter, hashes: BlockHashes, index: number): boolean {
    let answer: unknown = false
    const ask = (): unknown => {
      answer = filter.shouldOffload(hashes, index, this.edge)
      return answer
    }
    attempt(ask, this.#filterFailed)
    if (typeof answer === 'boolean') return answer
    const what = answer instanceof Promise ? 'a promise' : typeof answer
    this.#filterFailed(`shouldOffload: expected true or false at once, got ${what}`)
    return false
  }

  readonly #filterFailed = (why: string): void => {
    if (this.#filterFailures++ === 0)
      this.#options.logger.error(`The offload filter of ${this.edge.from} failed and so refused a block: ${why}`)
  }

  #enqueue(hashes: BlockHashes): void {
    const { queueMax, tools } = this.#options
    const room = this.#isClosed ? 0 : Math.min(hashes.count, queueMax - this.#queuedBlocks)
    this.#drop(this.#isClosed ? 'closed' : 'queue-full', hashes.count - room)
    for (let at = 0; at < room; at += tools.batchMax) {
      this.#queue.push(hashes.subarray(at, Math.min(at + tools.batchMax, room)))
    }
    this.#queuedBlocks += room
  }

  #pump(): void {
    while (this.#running.size < this.#options.concurrency) {
      const hashes = this.#queue.shift()
      if (hashes === undefined) return
      this.#queuedBlocks -= hashes.count
      const run = this.#carry(hashes).finally(() => {
        this.#running.delete(run)
        this.#pump()
      })
      this.#running.add(run)
    }
  }

  /** Never rejects: what could not be copied was counted. */
  async #carry(hashes: BlockHashes): Promise<void> {
    const { from, tools, logger } = this.#options
    const to = this.#options.to()
    // Not in the same turn as the registration: whoever registered goes on first.
    await Promise.resolve()
    if (!to.isWritable && !to.isReadOnly) return this.#drop('degraded', hashes.count)
    try {
      using source = from.pool.peek(hashes)
      this.#drop('source-gone', hashes.count - source.count)
      await new OffloadRun({ from, source, to }, tools).carryOut()
    } catch (error) {
      logger.debug(`A background copy from ${from.name} to ${to.name} ended early: ${String(error)}`)
    }
  }

  #drop(reason: DropReason, count: number): void {
    if (count > 0) this.#options.tools.counters.drop(this.edge.from, this.edge.to, reason, count)
  }
}
