import type { Binding, CommitResult } from '@kvbm/native'

/** How much memory one step makes real: some tens of milliseconds of another thread, and as long `close` may have to wait. */
const STEP_BYTES = 64 * 2 ** 20
/** Steps at once where somebody waits for the end. The threads are libuv's, and others need some of them. */
const STEPS_AT_ONCE = 3
const LOCK_RANK: Readonly<Record<CommitResult['locked'], number>> = { no: 0, touched: 1, os: 2, cuda: 3 }

export interface MemoryCommitOptions {
  readonly binding: Binding
  readonly region: number
  readonly sizeBytes: number
  readonly lock: boolean
}

/** How much is real, and how it is held: as its weakest part. */
export interface CommitProgress {
  readonly committedBytes: number
  readonly locked: CommitResult['locked']
  readonly hugePages: boolean
  readonly hugeBytes: number | undefined
  readonly note: string
}

const NOTHING: CommitProgress = { committedBytes: 0, locked: 'no', hugePages: false, hugeBytes: undefined, note: '' }

/**
 * Makes a region's memory real step by step, on other threads. Invariant: each step is taken once, by the one worker that moved
 * `#next` over it; those that failed are in `#failed` and taken again by the next `finished()`.
 */
export class MemoryCommit {
  readonly #options: MemoryCommitOptions
  readonly #workers = new Set<Promise<void>>()
  #failed: number[] = []
  #next = 0
  #progress = NOTHING
  #error: unknown
  #stopped = false

  constructor(options: MemoryCommitOptions) {
    this.#options = options
  }

  get progress(): CommitProgress {
    return this.#error === undefined ? this.#progress : { ...this.#progress, note: messageOf(this.#error) }
  }

  /**
   * In the background, with one step at a time, which leaves the machine to others. What fails shows in the notes; only `finished()`
   * tries it again.
   */
  begin(): void {
    if (this.#workers.size === 0 && this.#error === undefined && this.#isLeft) this.#addWorker()
  }

  /** Hurries, and resolves when all is real. Rejects with what failed first. */
  async finished(): Promise<void> {
    this.#error = undefined
    for (let left = STEPS_AT_ONCE - this.#workers.size; left > 0 && this.#isLeft; left--) this.#addWorker()
    while (this.#workers.size > 0) await Promise.all(this.#workers)
    if (this.#error !== undefined) throw this.#error
  }

  /** No step begins any more. Resolves when none runs. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#workers)
  }

  get #isLeft(): boolean {
    return !this.#stopped && (this.#failed.length > 0 || this.#next < this.#options.sizeBytes)
  }

  #addWorker(): void {
    const worker = this.#work().finally(() => this.#workers.delete(worker))
    this.#workers.add(worker)
  }

  async #work(): Promise<void> {
    while (this.#isLeft && this.#error === undefined) {
      const begin = this.#take()
      try {
        await this.#step(begin)
      } catch (error) {
        this.#failed.push(begin)
        this.#error ??= error
      }
    }
  }

  #take(): number {
    const again = this.#failed.pop()
    if (again !== undefined) return again
    const begin = this.#next
    this.#next += STEP_BYTES
    return begin
  }

  async #step(begin: number): Promise<void> {
    const { binding, region, sizeBytes, lock } = this.#options
    const length = Math.min(STEP_BYTES, sizeBytes - begin)
    const result = await binding.commitMemory(region, begin, length, lock)
    this.#progress = joined(this.#progress, result, length)
  }
}

/** Steps may end differently (the lock limit is reached midway); the whole is only as good as its weakest step. */
function joined(before: CommitProgress, step: CommitResult, length: number): CommitProgress {
  const isFirst = before.committedBytes === 0
  const { locked, note } = isFirst || LOCK_RANK[step.locked] < LOCK_RANK[before.locked] ? step : before
  return {
    committedBytes: before.committedBytes + length,
    locked,
    hugePages: step.hugePages && (isFirst || before.hugePages),
    hugeBytes: isFirst ? step.hugeBytes : sum(before.hugeBytes, step.hugeBytes),
    note,
  }
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
