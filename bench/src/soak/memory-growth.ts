import { spreadOf } from '../harness.js'

/**
 * How much memory grew over the second half of a life, in percent: the median of its last quarter against that of the one before. The
 * first half is warming up.
 */
export function memoryGrowth(samples: readonly number[]): number {
  const quarter = Math.floor(samples.length / 4)
  if (quarter === 0) throw new RangeError(`samples: expected at least 4, got ${samples.length}`)
  const third = spreadOf(samples.slice(-2 * quarter, -quarter)).median
  return 100 * (spreadOf(samples.slice(-quarter)).median / third - 1)
}
