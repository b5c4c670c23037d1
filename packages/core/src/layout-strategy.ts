import type { BlockShape } from './block-shape.js'

/** Where one region (block, layer, outer) begins: a storage of the layout and a byte offset in it. */
export interface RegionAddress {
  readonly storage: number
  readonly offset: number
}

/** What a strategy is asked to lay out. */
export interface LayoutRequest {
  readonly numBlocks: number
  readonly shape: BlockShape
  /** Where blocks should begin: at offsets that are multiples of this power of two, in bytes. 1: anywhere. */
  readonly alignment: number
}

/** A strategy bound to a number of blocks and a shape. Every region is one contiguous run of `regionBytes(shape)`. */
export interface BoundLayout {
  /** Size of each storage the layout needs, in bytes. Offset 0 lies at an aligned address; slack to get there is not counted here. */
  readonly storageBytes: readonly number[]
  /** Pure and total for indices in range; regions must not overlap and must stay inside their storage. */
  locate(block: number, layer: number, outer: number): RegionAddress
}

/** Port: a user's own way to lay blocks out. */
export interface LayoutStrategy {
  readonly name: string
  bind(request: LayoutRequest): BoundLayout
}
