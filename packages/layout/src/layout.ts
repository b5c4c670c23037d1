import type { BlockShape, LayoutType, RegionAddress, Storage } from '@kvbm/core'
import type { Column } from './column.js'

/** Arithmetic from (block, layer, outer) to bytes of a storage. A layout borrows its storages; it never closes them. */
export interface Layout {
  readonly type: LayoutType
  readonly shape: BlockShape
  readonly numBlocks: number
  /** Bytes of one block: layers × outer × region. */
  readonly blockBytes: number
  /** Bytes of one region: the part of a block that belongs to one layer and outer entry. */
  readonly regionBytes: number
  readonly storages: readonly Storage[]
  /** Whether every block is one run in canonical order. */
  readonly wholeBlocks: boolean
  /**
   * Where a region begins. Throws `RangeError` naming the axis (block first, then layer, then outer), and for a paged block
   * that was never committed: it has no place yet.
   */
  locate(block: number, layer: number, outer: number): RegionAddress
  /** `locate` for loops, in two numbers and without checks of the indices: index of the storage. */
  storageOf(block: number, layer: number, outer: number): number
  /** `locate` for loops, in two numbers and without checks of the indices: offset in that storage, in bytes. */
  offsetOf(block: number, layer: number, outer: number): number
  /**
   * `locate` of many blocks for plans, without checks of the indices: the region (`Storage.regionId`) of each block's part goes
   * into the column, its offset right behind.
   */
  locateAll(ids: Uint32Array, layer: number, outer: number, into: Column): void
  /** Makes the memory of these blocks real. Cheap when it is. Throws `RangeError` for an id that is none. */
  commit(ids: Uint32Array): void
  /**
   * Zero-copy view: one array where the block is one run of CPU-addressable memory, else its runs in canonical order;
   * undefined where the CPU cannot address it. The block must have been committed.
   */
  view(block: number): Uint8Array | readonly Uint8Array[] | undefined
}
