import { ClosedError, type TransferJob, type TransferPriority } from '@kvbm/core'
import type { MutableBlocks } from '@kvbm/pool'
import type { NativeTransferRuntime } from '@kvbm/storage'
import type { Counters } from './counters.js'
import { within } from './patience.js'
import { filled } from './pinned.js'

export interface TransfersOptions {
  readonly runtime: NativeTransferRuntime
  readonly counters: Counters
  /** Longest wait for one piece of work. */
  readonly deadlineMs: number
  /** Aborted, with `ClosedError`, when the manager closes. */
  readonly closing: AbortSignal
}

export interface RunOptions<T> {
  /** Ends the wait of whoever asked; the work itself goes on. */
  readonly signal?: AbortSignal | undefined
  /** Gets the result that nobody waits for any more. */
  readonly late?: (result: T) => void
}

/**
 * Everything that moves bytes passes here, so that every wait for it ends, and `close()` knows what still runs. Work that was
 * given up on goes on: it holds or pins all it touches, and only its end lets go.
 */
export class Transfers {
  readonly runtime: NativeTransferRuntime
  readonly #counters: Counters
  readonly #deadlineMs: number
  readonly #closing: AbortSignal
  readonly #running = new Set<Promise<unknown>>()
  readonly #abandoned = new WeakSet<Promise<unknown>>()
  #isOver = false

  constructor({ runtime, counters, deadlineMs, closing }: TransfersOptions) {
    this.runtime = runtime
    this.#counters = counters
    this.#deadlineMs = deadlineMs
    this.#closing = closing
  }

  /** Work that has not ended, abandoned work included. */
  get running(): number {
    return this.#running.size
  }

  /** To be asked before anything is taken or begun. Throws `ClosedError` or the signal's reason. */
  admit(signal?: AbortSignal): void {
    this.#closing.throwIfAborted()
    signal?.throwIfAborted()
  }

  /** One job of the runtime. The signal takes it back only before it has started. */
  submit(job: TransferJob, signal?: AbortSignal, priority: TransferPriority = 'onboard'): Promise<void> {
    return this.runtime.submit(job, signal === undefined ? { priority } : { priority, signal })
  }

  /** Begins `work` and waits for it, until the signal or our own deadline; then it is abandoned, and `late` gets its result. */
  async run<T>(what: string, work: () => Promise<T>, { signal, late = () => {} }: RunOptions<T> = {}): Promise<T> {
    if (this.#isOver) throw new ClosedError('manager')
    const running = this.track(work())
    try {
      return await this.wait(running, what, signal)
    } catch (error) {
      this.#abandon(running)
      running.then(late, () => {})
      throw error
    }
  }

  /** Waits for work of somebody else, as long as we wait for our own. */
  wait<T>(work: Promise<T>, what: string, signal?: AbortSignal): Promise<T> {
    return within(work, what, { signal, deadlineMs: this.#deadlineMs })
  }

  /** Runs `fill` as the only one that fills `blocks`: after copies into them that go on have ended, abandoned ones included. */
  async alone(blocks: MutableBlocks, signal: AbortSignal | undefined, fill: () => Promise<void>): Promise<void> {
    while (blocks.filling !== undefined) {
      await this.wait(blocks.filling, 'Waiting for an earlier copy into the same blocks', signal)
      this.admit(signal)
    }
    using _fill = filled(blocks)
    await fill()
  }

  /** Work that nobody waits for, except `end`. */
  track<T>(work: Promise<T>): Promise<T> {
    const tracked = work.finally(() => this.#running.delete(tracked))
    this.#running.add(tracked)
    tracked.catch(() => {})
    return tracked
  }

  /** Resolves when nothing runs; then nothing can be begun any more. */
  async end(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
    this.#isOver = true
  }

  /** Nobody will wait for what runs now. */
  abandonAll(): void {
    for (const work of this.#running) this.#abandon(work)
  }

  #abandon(work: Promise<unknown>): void {
    if (!this.#running.has(work) || this.#abandoned.has(work)) return
    this.#abandoned.add(work)
    this.#counters.abandoned++
  }
}
