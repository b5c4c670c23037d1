import { availableParallelism } from 'node:os'
import {
  ClosedError,
  positiveInteger,
  StorageIoError,
  type TransferJob,
  type TransferOptions,
  type TransferRuntime,
  type TransferRuntimeStats,
} from '@kvbm/core'
import { type Binding, loadBinding } from '@kvbm/native'

/** A disk wants several requests in flight, also on a machine with two CPUs; the threads sleep meanwhile. */
const THREADS_MIN = 4
const THREADS_MAX = 8
/** Far above what a healthy machine has under way, far below what would fill the heap. */
const JOBS_MAX = 4096
const NUMBERS_PER_RUN = 5

/** Threads and bounds of a transfer runtime. */
export interface TransferRuntimeOptions {
  /** Threads that copy and do file I/O. Default: one per CPU, at least 4 (the depth a disk wants), at most 8. */
  readonly threads?: number
  /** Default: the native library, or its portable twin where there is none. */
  readonly binding?: Binding
  /** Jobs submitted and not finished; a further one is refused at once with `StorageIoError`. Default 4096. */
  readonly jobsMax?: number
}

/** The threads that move bytes between memory regions and files of one binding. Several managers may share one. */
export class NativeTransferRuntime implements TransferRuntime {
  readonly binding: Binding
  readonly threads: number
  readonly jobsMax: number
  readonly #engine: number
  readonly #tickets = new Set<number>()
  #nextTicket = 1
  #jobs = 0
  #bytes = 0
  #closing: Promise<void> | undefined

  constructor(options: TransferRuntimeOptions = {}) {
    this.threads = positiveInteger('threads', options.threads ?? defaultThreads())
    this.jobsMax = positiveInteger('jobsMax', options.jobsMax ?? JOBS_MAX)
    this.binding = options.binding ?? loadBinding()
    this.#engine = this.binding.createEngine({ threads: this.threads })
  }

  /**
   * Runs one job: all rows, or a rejection. A signal takes back a job that has not started (rejects with its reason);
   * one that has started is awaited, because its memory is in use until it ends.
   */
  async submit(job: TransferJob, options?: TransferOptions): Promise<void> {
    const signal = options?.signal
    if (this.#closing !== undefined) throw new ClosedError('transfer runtime')
    signal?.throwIfAborted()
    if (this.#tickets.size >= this.jobsMax) throw queueFull(this.jobsMax)
    const ticket = this.#nextTicket++
    const cancel = (): void => void this.binding.cancel(this.#engine, ticket)
    this.#tickets.add(ticket)
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      await this.binding.submit(this.#engine, ticket, job)
      this.#jobs += 1
      this.#bytes += bytesOf(job.runs)
    } catch (error) {
      throw isCancelled(error) ? this.#whyCancelled(signal) : error
    } finally {
      this.#tickets.delete(ticket)
      signal?.removeEventListener('abort', cancel)
    }
  }

  /** `jobs` and `bytes` count what succeeded. A thread runs one job at a time, so at most `threads` are running. */
  stats(): TransferRuntimeStats {
    const running = Math.min(this.#tickets.size, this.threads)
    return { queued: this.#tickets.size - running, running, jobs: this.#jobs, bytes: this.#bytes }
  }

  get closed(): boolean {
    return this.#closing !== undefined
  }

  /** Refuses new jobs, takes back queued ones (they reject with `ClosedError`), awaits running ones. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    for (const ticket of this.#tickets) this.binding.cancel(this.#engine, ticket)
    await this.binding.closeEngine(this.#engine)
  }

  #whyCancelled(signal: AbortSignal | undefined): unknown {
    return signal?.aborted ? signal.reason : new ClosedError('transfer runtime')
  }
}

/** A transfer runtime of your own; close it after the last storage that uses it. */
export function createTransferRuntime(options: TransferRuntimeOptions = {}): NativeTransferRuntime {
  return new NativeTransferRuntime(options)
}

let shared: NativeTransferRuntime | undefined

/** The runtime that everything without one of its own shares in this process. Made on first use; never keeps it alive. */
export function defaultTransferRuntime(): NativeTransferRuntime {
  if (shared === undefined || shared.closed) shared = new NativeTransferRuntime()
  return shared
}

function defaultThreads(): number {
  return Math.min(Math.max(availableParallelism(), THREADS_MIN), THREADS_MAX)
}

function bytesOf(runs: Float64Array): number {
  let bytes = 0
  for (let at = NUMBERS_PER_RUN - 1; at < runs.length; at += NUMBERS_PER_RUN) bytes += runs[at]!
  return bytes
}

function isCancelled(error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === 'KVBM_CANCELLED'
}

function queueFull(jobsMax: number): StorageIoError {
  return new StorageIoError(
    `Transfer refused: ${jobsMax} jobs are queued or running, the bound of this runtime. Await earlier ones or raise jobsMax.`,
  )
}
