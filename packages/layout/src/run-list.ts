/** Numbers of one run: source region, source offset, target region, target offset, length. */
export const RUN_FIELDS = 5

/** Copy runs for `TransferJob.runs`, and how many bytes they move. */
export interface CopyPlan {
  /** Rows of five numbers: source region, source offset, target region, target offset, length in bytes. */
  readonly runs: Float64Array
  readonly bytes: number
}

/**
 * Collects copy runs and joins those that go on where another ended, in source and target. Mostly they come in the order of the
 * source and are joined as they come. When one does not, or a source comes twice, two that fit may have others between them: then
 * all are sorted so that none has, and joined once more.
 */
export class RunList {
  #rows: Float64Array
  #used = 0
  #bytes = 0
  /** Whether every row begins at or behind the end of the one before, in the source. */
  #ascending = true

  constructor(expectedRuns: number) {
    this.#rows = new Float64Array(Math.max(1, expectedRuns) * RUN_FIELDS)
  }

  add(source: number, sourceOffset: number, target: number, targetOffset: number, length: number): void {
    if (length === 0) return
    this.#bytes += length
    const last = this.#used - RUN_FIELDS
    const rows = this.#rows
    if (last >= 0 && rows[last] === source) {
      const before = rows[last + 4]!
      const sourceEnd = rows[last + 1]! + before
      if (sourceEnd === sourceOffset && rows[last + 2] === target && rows[last + 3]! + before === targetOffset) {
        rows[last + 4] = before + length
        return
      }
      this.#ascending &&= sourceEnd <= sourceOffset
    } else if (last >= 0) {
      this.#ascending &&= rows[last]! < source
    }
    this.#append(source, sourceOffset, target, targetOffset, length)
  }

  finish(): CopyPlan {
    const runs = this.#rows.subarray(0, this.#used)
    return { runs: this.#ascending ? runs : RunList.#joinAnyOrder(runs), bytes: this.#bytes }
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

  static #joinAnyOrder(runs: Float64Array): Float64Array {
    const order = Uint32Array.from({ length: runs.length / RUN_FIELDS }, (_, index) => index * RUN_FIELDS)
    order.sort((a, b) => compareByDistance(runs, a, b))
    const joined = new RunList(order.length)
    for (const at of order) joined.add(runs[at]!, runs[at + 1]!, runs[at + 2]!, runs[at + 3]!, runs[at + 4]!)
    return joined.#rows.subarray(0, joined.#used)
  }
}

/** Two runs can be joined only if they lead from the same source to the same target over the same distance. */
function compareByDistance(runs: Float64Array, a: number, b: number): number {
  const distance = (at: number): number => runs[at + 3]! - runs[at + 1]!
  return runs[a]! - runs[b]! || runs[a + 2]! - runs[b + 2]! || distance(a) - distance(b) || runs[a + 1]! - runs[b + 1]!
}
