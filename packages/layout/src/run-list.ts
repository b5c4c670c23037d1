import type { Column } from './column.js'
import type { CopyPlan } from './copy-plan.js'
import { indices } from './indices.js'
import { sortedBy } from './sorted-by.js'

/** Numbers of one run: source region, source offset, target region, target offset, length. */
export const RUN_FIELDS = 5

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
    this.reserve(1)
    this.#join(source, sourceOffset, target, targetOffset, length)
  }

  /** Room behind the rows for `count` more, to be filled but for their lengths; holds until the next call. */
  reserve(count: number): Column {
    const needed = this.#used + count * RUN_FIELDS
    if (needed > this.#rows.length) this.#grow(needed)
    return { rows: this.#rows, at: this.#used, step: RUN_FIELDS }
  }

  /** Adds the `count` rows that were filled, each of `length` bytes. Joining never writes beyond the row that it reads. */
  addReserved(count: number, length: number): void {
    const rows = this.#rows
    const end = this.#used + count * RUN_FIELDS
    for (let at = this.#used; at < end; at += RUN_FIELDS)
      this.#join(rows[at]!, rows[at + 1]!, rows[at + 2]!, rows[at + 3]!, length)
  }

  finish(): CopyPlan {
    const runs = this.#ascending ? this.#rows.subarray(0, this.#used) : this.#joinedInAnyOrder()
    return { runs, bytes: this.#bytes }
  }

  #join(source: number, sourceOffset: number, target: number, targetOffset: number, length: number): void {
    if (length === 0) return
    this.#bytes += length
    const rows = this.#rows
    const last = this.#used - RUN_FIELDS
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
    const at = this.#used
    rows[at] = source
    rows[at + 1] = sourceOffset
    rows[at + 2] = target
    rows[at + 3] = targetOffset
    rows[at + 4] = length
    this.#used = at + RUN_FIELDS
  }

  #grow(needed: number): void {
    const larger = new Float64Array(Math.max(needed, this.#rows.length * 2))
    larger.set(this.#rows.subarray(0, this.#used))
    this.#rows = larger
  }

  /** Two runs can be joined only if they lead from the same source to the same target over the same distance. */
  #joinedInAnyOrder(): Float64Array {
    const rows = this.#rows
    const count = this.#used / RUN_FIELDS
    const distances = new Float64Array(count)
    for (let row = 0; row < count; row++) distances[row] = rows[row * RUN_FIELDS + 3]! - rows[row * RUN_FIELDS + 1]!
    const field = (at: number): Column => ({ rows, at, step: RUN_FIELDS })
    let order = sortedBy(indices(count), field(1))
    for (const column of [{ rows: distances, at: 0, step: 1 }, field(2), field(0)]) order = sortedBy(order, column)
    const joined = new RunList(count)
    for (const row of order) {
      const at = row * RUN_FIELDS
      joined.#join(rows[at]!, rows[at + 1]!, rows[at + 2]!, rows[at + 3]!, rows[at + 4]!)
    }
    return joined.#rows.subarray(0, joined.#used)
  }
}
