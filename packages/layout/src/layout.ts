import {
  type BlockShape,
  blockBytes,
  invalidArgument,
  type LayoutType,
  type RegionAddress,
  regionBytes,
  type Storage,
} from '@kvbm/core'
import { runsOf } from './runs-of.js'
import { viewsOf } from './views-of.js'

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
  /** Makes the memory of these blocks real. Cheap when it is. Throws `RangeError` for an id that is none. */
  commit(ids: Uint32Array): void
  /**
   * Zero-copy view: one array where the block is one run of CPU-addressable memory, else its runs in canonical order;
   * undefined where the CPU cannot address it. The block must have been committed.
   */
  view(block: number): Uint8Array | readonly Uint8Array[] | undefined
}

export interface BaseLayoutOptions {
  readonly shape: BlockShape
  readonly numBlocks: number
  readonly storages: readonly Storage[]
  readonly wholeBlocks: boolean
}

/** What layouts share: checks, sizes, views. A subclass says where a region lies. */
export abstract class BaseLayout implements Layout {
  abstract readonly type: LayoutType
  readonly shape: BlockShape
  readonly numBlocks: number
  readonly blockBytes: number
  readonly regionBytes: number
  readonly storages: readonly Storage[]
  readonly wholeBlocks: boolean
  #committed = false

  constructor({ shape, numBlocks, storages, wholeBlocks }: BaseLayoutOptions) {
    this.shape = shape
    this.numBlocks = numBlocks
    this.blockBytes = blockBytes(shape)
    this.regionBytes = regionBytes(shape)
    this.storages = storages
    this.wholeBlocks = wholeBlocks
  }

  abstract storageOf(block: number, layer: number, outer: number): number
  abstract offsetOf(block: number, layer: number, outer: number): number

  locate(block: number, layer: number, outer: number): RegionAddress {
    checkIndex('block', block, this.numBlocks)
    checkIndex('layer', layer, this.shape.numLayers)
    checkIndex('outer', outer, this.shape.outerDim)
    return { storage: this.storageOf(block, layer, outer), offset: this.offsetOf(block, layer, outer) }
  }

  commit(ids: Uint32Array): void {
    checkIds('ids', ids, this)
    if (this.#committed || ids.length === 0) return
    for (const storage of this.storages) storage.commit()
    this.#committed = true
  }

  view(block: number): Uint8Array | readonly Uint8Array[] | undefined {
    checkIndex('block', block, this.numBlocks)
    const views: Uint8Array[] = []
    for (const { storage, offset, length } of runsOf(this, block)) {
      const shown = viewsOf(this.storages[storage]!, offset, length)
      if (shown === undefined) return undefined
      views.push(...shown)
    }
    return views.length === 1 ? views[0] : views
  }
}

export function checkIndex(axis: string, index: number, count: number): void {
  if (!(Number.isInteger(index) && index >= 0 && index < count)) throw invalidArgument(axis, `0 to ${count - 1}`, index)
}

export function checkIds(name: string, ids: Uint32Array, { numBlocks }: Pick<Layout, 'numBlocks'>): void {
  for (let index = 0; index < ids.length; index++)
    if (!(ids[index]! < numBlocks)) checkIndex(`${name}[${index}]`, ids[index]!, numBlocks)
}

/** The smallest multiple of `alignment` (a power of two) that is not below `value`. */
export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment
}
