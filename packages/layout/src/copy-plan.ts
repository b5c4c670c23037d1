/** Copy runs for `TransferJob.runs`, and how many bytes they move. */
export interface CopyPlan {
  /** Rows of five numbers: source region, source offset, target region, target offset, length in bytes. */
  readonly runs: Float64Array
  readonly bytes: number
}
