/** Every run is a table of rows × columns cells, which lies row by row in its source and column by column in its target. */
export interface TransposedTable {
  readonly rows: number
  readonly columns: number
  readonly cellBytes: number
}

/**
 * Bytes to move and to sum, as flat rows.
 *
 * `runs`: rows of five numbers: source region, source offset, target region, target offset, length in bytes. Each region is
 * memory or a file; memory → memory copies, memory → file writes, file → memory reads (all of it or an error).
 * `sums`: rows of four numbers: block index, region, offset, length. CRC32C over each block's rows in order goes to
 * `into[block index]`; memory regions only. `before` sums what is about to be copied, `after` what has arrived.
 * `transpose`: rows and columns change places on the way, in memory only; each run's length is rows × columns × cellBytes.
 */
export interface TransferJob {
  readonly runs: Float64Array
  readonly sums?: { readonly pieces: Float64Array; readonly into: Uint32Array; readonly when: 'before' | 'after' }
  readonly transpose?: TransposedTable
}

/** Who waits for a transfer: somebody who wants blocks, or nobody but the tier below. `onboard` goes before `offload`. */
export type TransferPriority = 'onboard' | 'offload'

/** How long the caller of one transfer wants it, and how much. */
export interface TransferOptions {
  /** Cancels a queued job (rejects with the signal's reason); a job that has started is awaited. */
  readonly signal?: AbortSignal
  /** Default `onboard`. */
  readonly priority?: TransferPriority
  /** A job that has not started by then is taken back and rejects with `DeadlineError`. Milliseconds; default: none. */
  readonly deadlineMs?: number
}

/** Jobs that wait and that run; jobs that succeeded so far, and the bytes they copied. */
export interface TransferRuntimeStats {
  readonly queued: number
  readonly running: number
  readonly jobs: number
  readonly bytes: number
}

/** Port: threads that copy and do file I/O; several managers may share one. Rejects with `StorageIoError`. */
export interface TransferRuntime {
  submit(job: TransferJob, options?: TransferOptions): Promise<void>
  stats(): TransferRuntimeStats
  /** Refuses new jobs, awaits running ones. */
  close(): Promise<void>
}
