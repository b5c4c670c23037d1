import { availableParallelism } from 'node:os'
import {
  ClosedError,
  checkWait,
  DeadlineError,
  invalidArgument,
  positiveInteger,
  StorageIoError,
  TIMER_MS_MAX,
  type TransferJob,
  type TransferOptions,
  type TransferPriority,
  type TransferRuntime,
  type TransferRuntimeStats,
} from '@kvbm/core'
import { type Binding, type DiskPace, IN_BACKGROUND, loadBinding, ON_THREADS } from '@kvbm/native'
import { PACE_DEFAULT, widestPace } from './disk-pace.js'

/** More threads than this copy no faster on any machine: its memory is the bound. */
const THREADS_MAX = 8
/** As many as any disk wants requests at a time; how many work is a matter of pace, and the rest sleep. */
const DISK_THREADS = 16
/** Far above what a healthy machine has under way, far below what would fill the heap. */
const JOBS_MAX = 4096
/** Small jobs run within `submit` until they moved so much in one turn of the event loop: about a tenth of a millisecond. */
const INLINE_BYTES_PER_TURN = 1024 * 1024
const NUMBERS_PER_RUN = 5

/** Threads and bounds of a transfer runtime. */
export interface TransferRuntimeOptions {
  /** Threads that copy and sum in memory. Default: one per CPU, at most 8. */
  readonly threads?: number
  /**
   * Threads that read and write files, the most requests under way. Default: 16, or `threads` where that is given. How many of
   * them work is chosen for each disk: see `io` of `DiskAllocator`.
   */
  readonly diskThreads?: number
  /** Default: the native library, or its portable twin where there is none. */
  readonly binding?: Binding
  /** Jobs submitted and not finished; a further one is refused at once with `StorageIoError`. Default 4096. */
  readonly jobsMax?: number
}

/** The threads that move bytes between memory regions and files of one binding. Several managers may share one. */
export class NativeTransferRuntime implements TransferRuntime {
  readonly binding: Binding
  readonly threads: number
  readonly diskThreads: number
  readonly jobsMax: number
  readonly #engine: number
  readonly #tickets = new Set<number>()
  readonly #paces = new Set<DiskPace>()
  #nextTicket = 1
  #jobs = 0
  #bytes = 0
  #inlineBytes = 0
  #closing: Promise<void> | undefined

  constructor(options: TransferRuntimeOptions = {}) {
    this.threads = positiveInteger('threads', options.threads ?? Math.min(availableParallelism(), THREADS_MAX))
    this.diskThreads = positiveInteger('diskThreads', options.diskThreads ?? options.threads ?? DISK_THREADS)
    this.jobsMax = positiveInteger('jobsMax', options.jobsMax ?? JOBS_MAX)
    this.binding = options.binding ?? loadBinding()
    this.#engine = this.binding.createEngine({ threads: this.threads, diskThreads: this.diskThreads })
    this.#tune()
  }

  /**
   * Runs one job: all rows, or a rejection. A signal takes back a job that has not started (rejects with its reason), a deadline
   * too (`DeadlineError`); one that has started is awaited, because its memory is in use until it ends.
   */
  async submit(job: TransferJob, options?: TransferOptions): Promise<void> {
    if (this.#closing !== undefined) throw new ClosedError('transfer runtime')
    if (this.#tickets.size >= this.jobsMax) throw queueFull(this.jobsMax)
    const bytes = bytesOf(job.runs)
    const flags = (isOffload(options?.priority) ? IN_BACKGROUND : 0) | this.#placeOf(bytes)
    const ticket = this.#nextTicket++
    this.#tickets.add(ticket)
    try {
      if (options?.signal === undefined && options?.deadlineMs === undefined)
        await this.binding.submit(this.#engine, ticket, job, flags)
      else await this.#whileWanted({ ticket, job, flags }, options)
      this.#jobs += 1
      this.#bytes += bytes
    } catch (error) {
      throw isCancelled(error) ? new ClosedError('transfer runtime') : error
    } finally {
      this.#tickets.delete(ticket)
    }
  }

  /**
   * Gives files at least this depth and length of requests until the returned function is called; the widest of all that are kept
   * holds for all files, within the threads there are.
   */
  keepPace({ depth, requestBytes }: DiskPace): () => void {
    const kept = { depth, requestBytes }
    this.#paces.add(kept)
    this.#tune()
    return () => {
      this.#paces.delete(kept)
      this.#tune()
    }
  }

  /** `jobs` and `bytes` count what succeeded. `running` is an upper bound: as many jobs as the larger kind of threads has. */
  stats(): TransferRuntimeStats {
    const running = Math.min(this.#tickets.size, Math.max(this.threads, this.diskThreads))
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

  #tune(): void {
    if (this.closed) return
    const { depth, requestBytes } = widestPace(this.#paces, PACE_DEFAULT)
    this.binding.tuneEngine(this.#engine, { depth: Math.min(depth, this.diskThreads), requestBytes })
  }

  async #close(): Promise<void> {
    for (const ticket of this.#tickets) this.binding.cancel(this.#engine, ticket)
    await this.binding.closeEngine(this.#engine)
  }

  /** Small jobs may run within the call, until they would hold up the event loop. */
  #placeOf(bytes: number): number {
    if (this.#inlineBytes === 0)
      setImmediate(() => {
        this.#inlineBytes = 0
      })
    this.#inlineBytes += bytes
    return this.#inlineBytes <= INLINE_BYTES_PER_TURN ? 0 : ON_THREADS
  }

  async #whileWanted({ ticket, job, flags }: Order, options: TransferOptions): Promise<void> {
    checkWait(options)
    const { signal, deadlineMs } = options
    signal?.throwIfAborted()
    let isLate = false
    const cancel = (): void => void this.binding.cancel(this.#engine, ticket)
    const expire = (): void => {
      isLate = true
      cancel()
    }
    const timer = deadlineMs === undefined ? undefined : setTimeout(expire, Math.min(deadlineMs, TIMER_MS_MAX))
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      await this.binding.submit(this.#engine, ticket, job, flags)
    } catch (error) {
      if (!isCancelled(error)) throw error
      signal?.throwIfAborted()
      throw isLate ? new DeadlineError('Waiting for a transfer thread', deadlineMs!) : error
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', cancel)
    }
  }
}

interface Order {
  readonly ticket: number
  readonly job: TransferJob
  readonly flags: number
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

function isOffload(priority: TransferPriority | undefined): boolean {
  if (priority === undefined || priority === 'onboard') return false
  if (priority === 'offload') return true
  throw invalidArgument('priority', "'onboard' or 'offload'", priority)
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
