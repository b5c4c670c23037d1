/** Every `step`-th number of an array, from `at` on: one column of a table that lies row by row. */
export interface Column {
  readonly rows: Float64Array
  readonly at: number
  readonly step: number
}
