import { type BlockShape, blockBytes, type LayoutType, type TierName } from '@kvbm/core'

/** What decides how much room the blocks of a tier take. */
export interface RoomOptions {
  readonly tier: TierName
  readonly layoutType?: LayoutType | undefined
  readonly alignment?: number | undefined
}

/** Bytes that one block takes in a tier, the padding of its alignment included. On disk a slot needs none. */
export function blockRoom({ tier, layoutType, alignment = 1 }: RoomOptions, shape: BlockShape): number {
  if (tier === 'disk') return blockBytes(shape)
  const parts = alignedParts(layoutType, shape)
  return parts * Math.ceil(blockBytes(shape) / parts / alignment) * alignment
}

/** How many parts of a block begin at a multiple of the alignment. */
function alignedParts(type: LayoutType | undefined, { numLayers, outerDim }: BlockShape): number {
  if (typeof type !== 'object' || type.kind === 'custom') return 1
  return numLayers * (type.outerContiguous ? outerDim : 1)
}
