import { DeadlineError, TIMER_MS_MAX } from '@kvbm/core'

/** What ends a wait besides its success. */
export interface WaitOptions {
  /** Ends the wait; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Longest wait in milliseconds; then it rejects with `DeadlineError`. Default: no limit. */
  readonly deadlineMs?: number | undefined
}

interface Waiter<T> {
  readonly count: number
  readonly resolve: (value: T) => void
  readonly reject: (reason: unknown) => void
}

/**
 * Callers waiting for some number of blocks, first come first served: while the first does not get what it asked for, nobody
 * behind it gets anything, so a small request never starves a large one. Timers are not unref'd: a caller that waits for an
 * answer keeps the process alive until its deadline.
 */
export class Waiters<T> {
  readonly #queue = new Set<Waiter<T>>()
  readonly #onFailed: () => void
  #serving = false

  /** `onFailed` is called after a waiter gave up, when the next one may be first. */
  constructor(onFailed: () => void) {
    this.#onFailed = onFailed
  }

  get size(): number {
    return this.#queue.size
  }

  /** Waits for `count` blocks until `serve` brings them. */
  wait(count: number, { signal, deadlineMs }: WaitOptions): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter<T> = {
        count,
        resolve: (value) => end(() => resolve(value)),
        reject: (reason) => end(() => reject(reason)),
      }
      const end = (settle: () => void): void => {
        this.#queue.delete(waiter)
        clearTimeout(timer)
        signal?.removeEventListener('abort', aborted)
        settle()
      }
      const aborted = (): void => this.#fail(waiter, signal?.reason)
      const expired = (): void => this.#fail(waiter, new DeadlineError(`Waiting for ${count} blocks`, deadlineMs ?? 0))
      const timer = deadlineMs === undefined ? undefined : setTimeout(expired, Math.min(deadlineMs, TIMER_MS_MAX))
      signal?.addEventListener('abort', aborted)
      this.#queue.add(waiter)
    })
  }

  /** Serves waiters in turn for as long as `take` gives blocks; it returns undefined when it cannot give `count`. */
  serve(take: (count: number) => T | undefined): void {
    // Taking blocks tells listeners, who may release others and so call this again: the loop that runs sees those too.
    if (this.#serving) return
    this.#serving = true
    for (const waiter of this.#queue) {
      const value = take(waiter.count)
      if (value === undefined) break
      waiter.resolve(value)
    }
    this.#serving = false
  }

  /** Rejects everybody whose request `reasonOf` finds a reason against. */
  rejectWhere(reasonOf: (count: number) => unknown): void {
    for (const waiter of [...this.#queue]) {
      const reason = reasonOf(waiter.count)
      if (reason !== undefined) this.#fail(waiter, reason)
    }
  }

  #fail(waiter: Waiter<T>, reason: unknown): void {
    waiter.reject(reason)
    this.#onFailed()
  }
}
