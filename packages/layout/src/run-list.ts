/** Numbers of one run: source region, source offset, target region, target offset, length. */
export const RUN_FIELDS = 5

/** Copy runs for `TransferJob.runs`, and how many bytes they move. */
export interface CopyPlan {
  readonly runs: Float64Array
  readonly bytes: number
}

/**
 * Collects copy runs and joins those that go on where another ended, in source and target. Most arrive in the order of the
 * source and are joined as they come; when one does not, all are sorted at the end and joined again.
 */
export class RunList {
  #rows: Float64Array
  #used = 0
  #bytes = 0
  #sorted = true

  constructor(expectedRuns: number) {
    this.#rows = new Float64Array(Math.max(1, expectedRuns) * RUN_FIELDS)
  }

  add(source: number, sourceOffset: number, target: number, targetOffset: number, length: number): void {
    if (length === 0) return
    this.#bytes += length
    const last = this.#used - RUN_FIELDS
    const rows = this.#rows
    if (last >= 0 && rows[last] === source && rows[last + 2] === target) {
      const before = rows[last + 4]!
      if (rows[last + 1]! + before === sourceOffset && rows[last + 3]! + before === targetOffset) {
        rows[last + 4] = before + length
        return
      }
    }
    if (last >= 0 && this.#sorted)
      this.#sorted = rows[last]! < source || (rows[last] === source && rows[last + 1]! <= sourceOffset)
    this.#append(source, sourceOffset, target, targetOffset, length)
  }

  finish(): CopyPlan {
    const runs = this.#rows.subarray(0, this.#used)
    return { runs: this.#sorted ? runs : joinSorted(runs), bytes: this.#bytes }
  }

  #append(source: number, sourceOffset: number, target: number, targetOffset: number, length: number): void {
    if (this.#used === this.#rows.length) this.#grow()
    const rows = this.#rows
    const at = this.#used
    rows[at] = source
    rows[at + 1] = sourceOffset
    rows[at + 2] = target
    rows[at + 3] = targetOffset
    rows[at + 4] = length
    this.#used = at + RUN_FIELDS
  }

  #grow(): void {
    const larger = new Float64Array(this.#rows.length * 2)
    larger.set(this.#rows)
    this.#rows = larger
  }
}

function joinSorted(runs: Float64Array): Float64Array {
  const order = Uint32Array.from({ length: runs.length / RUN_FIELDS }, (_, index) => index * RUN_FIELDS)
  order.sort((a, b) => runs[a]! - runs[b]! || runs[a + 1]! - runs[b + 1]!)
  const joined = new RunList(order.length)
  for (const at of order) joined.add(runs[at]!, runs[at + 1]!, runs[at + 2]!, runs[at + 3]!, runs[at + 4]!)
  return joined.finish().runs
}
