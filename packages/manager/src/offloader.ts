import type { BlockHashes, Logger, OffloadFilter, TierName } from '@kvbm/core'
import type { ImmutableBlocks } from '@kvbm/pool'
import type { Counters, DropReason } from './counters.js'
import { dropReason, type Mover } from './mover.js'
import { sliceRun } from './slice-run.js'
import type { TierStore } from './tier.js'
import { type WaitOptions, within } from './within.js'

/** What became of the blocks given to `offload`. `offered = copied + present + Σ dropped`. */
export interface OffloadReport {
  readonly to: TierName
  readonly offered: number
  /** Copied, verified and registered by this call. */
  readonly copied: number
  /** Already there, or brought by another copy meanwhile. */
  readonly present: number
  readonly dropped: Partial<Record<DropReason, number>>
  readonly bytes: number
}

export interface OffloaderOptions {
  readonly mover: Mover
  readonly counters: Counters
  readonly logger: Logger
  /** Blocks that may wait in one queue; further ones are dropped and counted. */
  readonly queueMax: number
  /** Copies of one edge in flight at once. */
  readonly concurrency: number
  /** Blocks of one copy. */
  readonly batchMax: number
}

/** Write-through between two neighbouring tiers. Invariant: the queue holds names, not blocks, so waiting work pins nothing. */
export class OffloadQueue {
  readonly #from: TierStore
  readonly #to: TierStore
  readonly #filter: OffloadFilter | undefined
  readonly #options: OffloaderOptions
  readonly #queue: BlockHashes[] = []
  readonly #running = new Set<Promise<void>>()
  #queuedBlocks = 0
  #closed = false

  constructor(from: TierStore, to: TierStore, filter: OffloadFilter | undefined, options: OffloaderOptions) {
    this.#from = from
    this.#to = to
    this.#filter = filter
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

  get edge(): { readonly from: TierName; readonly to: TierName } {
    return { from: this.#from.name as TierName, to: this.#to.name as TierName }
  }

  /** Offers blocks that were just registered above. Returns at once. */
  offer(hashes: BlockHashes): void {
    for (const wanted of this.#filtered(hashes)) this.#enqueue(wanted)
    this.#pump()
  }

  /** Resolves when nothing waits and nothing runs. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  /** Drops what waits; copies in flight go on. */
  close(): void {
    this.#closed = true
    if (this.#queuedBlocks > 0) this.#drop('closed', this.#queuedBlocks)
    this.#queue.length = 0
    this.#queuedBlocks = 0
  }

  *#filtered(hashes: BlockHashes): Generator<BlockHashes> {
    if (this.#filter === undefined) {
      yield hashes
      return
    }
    let from = 0
    for (let index = 0; index <= hashes.count; index++) {
      if (index < hashes.count && this.#filter.shouldOffload(hashes, index, this.edge)) continue
      if (index > from) yield hashes.subarray(from, index)
      if (index < hashes.count) this.#drop('filtered', 1)
      from = index + 1
    }
  }

  #enqueue(hashes: BlockHashes): void {
    const room = this.#closed ? 0 : Math.max(0, this.#options.queueMax - this.#queuedBlocks)
    if (hashes.count > room) this.#drop(this.#closed ? 'closed' : 'queue-full', hashes.count - room)
    for (let at = 0; at < Math.min(room, hashes.count); at += this.#options.batchMax) {
      const batch = hashes.subarray(at, Math.min(at + this.#options.batchMax, room))
      this.#queue.push(batch)
      this.#queuedBlocks += batch.count
    }
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

  async #carry(hashes: BlockHashes): Promise<void> {
    // Not in the same turn as the registration: whoever registered goes on first.
    await Promise.resolve()
    const source = this.#from.pool.peek(hashes)
    if (source.count < hashes.count) this.#drop('source-gone', hashes.count - source.count)
    try {
      await offloadRun({ from: this.#from, source, to: this.#to, ...this.#options, wait: {} })
    } catch (error) {
      this.#options.logger.debug(`A background copy to ${this.#to.name} failed: ${String(error)}`)
    } finally {
      source.release()
    }
  }

  #drop(reason: DropReason, count: number): void {
    this.#options.counters.drop(this.edge.from, this.edge.to, reason, count)
  }
}

interface OffloadRunOptions {
  readonly from: TierStore
  readonly source: ImmutableBlocks
  readonly to: TierStore
  readonly mover: Mover
  readonly counters: Counters
  readonly batchMax: number
  readonly wait: WaitOptions
}

/**
 * Copies the blocks of one run that `to` lacks. Never waits for a free block: what has no place is dropped and counted.
 * Rejects only when a caller's patience or a copy failed; drops are counted either way.
 */
export async function offloadRun({
  from,
  source,
  to,
  mover,
  counters,
  batchMax,
  wait,
}: OffloadRunOptions): Promise<OffloadReport> {
  const edge = { from: from.name as TierName, to: to.name as TierName }
  const report = {
    to: edge.to,
    offered: source.count,
    copied: 0,
    present: 0,
    dropped: {} as Partial<Record<DropReason, number>>,
    bytes: 0,
  }
  const drop = (reason: DropReason, count: number): void => {
    if (count === 0) return
    report.dropped[reason] = (report.dropped[reason] ?? 0) + count
    counters.drop(edge.from, edge.to, reason, count)
  }
  for (let at = 0; at < source.count; ) {
    const rest = source.hashes.subarray(at)
    const others = to.inFlight.of(rest, 0)
    if (others !== undefined) {
      await within(others, `Waiting for another copy to ${to.name}`, wait)
      if (to.pool.scan(rest.subarray(0, 1))[0] === 1) {
        report.present++
        at++
      }
      continue
    }
    const missing = missingCount(rest, to, batchMax)
    if (missing === 0) {
      report.present++
      at++
      continue
    }
    const moved = await moveSome({ from, source, to, mover, at, count: missing, wait }).catch((error: unknown) => {
      drop(dropReason(error), source.count - at)
      throw error
    })
    report.copied += moved.copied
    report.bytes += moved.bytes
    counters.edge(edge.from, edge.to).blocks += moved.copied
    drop('target-full', moved.full)
    drop('corrupt', moved.corrupt)
    at += missing
  }
  return report
}

interface MoveSome {
  readonly from: TierStore
  readonly source: ImmutableBlocks
  readonly to: TierStore
  readonly mover: Mover
  readonly at: number
  readonly count: number
  readonly wait: WaitOptions
}

async function moveSome({
  from,
  source,
  to,
  mover,
  at,
  count,
  wait,
}: MoveSome): Promise<{ copied: number; full: number; corrupt: number; bytes: number }> {
  const target = to.allocateUpTo(count)
  const granted = target.count
  if (granted === 0) return { copied: 0, full: count, corrupt: 0, bytes: 0 }
  const part = sliceRun(source, at, granted)
  try {
    const { blocks, bytes } = await mover.move(from, part, to, target, wait)
    const copied = blocks.count
    blocks.release()
    return { copied, full: count - granted, corrupt: granted - copied, bytes }
  } finally {
    part.release()
  }
}

/** How many blocks from the first on `to` lacks and nobody brings, at most `max`. */
function missingCount(hashes: BlockHashes, to: TierStore, max: number): number {
  const window = hashes.subarray(0, max)
  const present = to.pool.scan(window)
  let count = 0
  while (count < window.count && present[count] === 0 && to.inFlight.of(window, count) === undefined) count++
  return count
}
