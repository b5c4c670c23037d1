import type { TransposedTable } from '@kvbm/core'

/** What a transfer runtime takes as a job, and how many bytes it moves. */
export interface CopyPlan {
  /** Rows of five numbers: source region, source offset, target region, target offset, length in bytes. */
  readonly runs: Float64Array
  readonly bytes: number
  /** Each run is such a table, whose rows and columns change places on the way. Only where the inner order changes. */
  readonly transpose?: TransposedTable
}
