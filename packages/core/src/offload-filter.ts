import type { BlockHashes } from './block-hashes.js'
import type { TierName } from './tier.js'

/** Port: which of the blocks just registered in `from` are copied to the next tier below. */
export interface OffloadFilter {
  /** Asked in the turn of the registration. Whoever throws, or answers anything but true or false, refuses the block. */
  shouldOffload(hashes: BlockHashes, index: number, edge: { readonly from: TierName; readonly to: TierName }): boolean
}
