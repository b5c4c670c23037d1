import type { BlockHashes } from '@kvbm/core'
import type { TierStore } from './tier-store.js'

/** The blocks from the first on that are neither in `to` nor on their way there. */
export function missingPrefix(hashes: BlockHashes, to: TierStore): BlockHashes {
  const present = to.scan(hashes)
  let count = 0
  while (count < hashes.count && present[count] === 0 && to.inFlight.of(hashes, count) === undefined) count++
  return hashes.subarray(0, count)
}
