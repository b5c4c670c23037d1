import {
  type BlockShape,
  blockBytes,
  invalidArgument,
  type LayoutType,
  type RegionAddress,
  regionBytes,
  type Storage,
} from '@kvbm/core'

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
  /** Where a region begins. Throws `RangeError` naming the axis: block first, then layer, then outer. */
  locate(block: number, layer: number, outer: number): RegionAddress
  /** Unchecked `locate`, in two numbers, for loops: index of the storage. */
  storageOf(block: number, layer: number): number
  /** Unchecked `locate`, in two numbers, for loops: offset in that storage, in bytes. */
  offsetOf(block: number, layer: number, outer: number): number
  /** Makes the memory of these blocks real. Cheap when it is. */
  commit(ids: Uint32Array): void
  /**
   * Zero-copy view: one array where the block is one run of CPU-addressable memory, else its runs in canonical order;
   * undefined where the CPU cannot address it. The block must have been committed.
   */
  view(block: number): Uint8Array | readonly Uint8Array[] | undefined
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

  constructor({
    shape,
    numBlocks,
    storages,
    wholeBlocks,
  }: { shape: BlockShape; numBlocks: number; storages: readonly Storage[]; wholeBlocks: boolean }) {
    this.shape = shape
    this.numBlocks = numBlocks
    this.blockBytes = blockBytes(shape)
    this.regionBytes = regionBytes(shape)
    this.storages = storages
    this.wholeBlocks = wholeBlocks
  }

  abstract storageOf(block: number, layer: number): number
  abstract offsetOf(block: number, layer: number, outer: number): number

  locate(block: number, layer: number, outer: number): RegionAddress {
    checkIndex('block', block, this.numBlocks)
    checkIndex('layer', layer, this.shape.numLayers)
    checkIndex('outer', outer, this.shape.outerDim)
    return { storage: this.storageOf(block, layer), offset: this.offsetOf(block, layer, outer) }
  }

  commit(_ids: Uint32Array): void {
    if (this.#committed) return
    for (const storage of this.storages) storage.commit()
    this.#committed = true
  }

  view(block: number): Uint8Array | readonly Uint8Array[] | undefined {
    checkIndex('block', block, this.numBlocks)
    if (this.wholeBlocks) {
      const whole = this.storages[this.storageOf(block, 0)]!.bytes(this.offsetOf(block, 0, 0), this.blockBytes)
      if (whole !== undefined) return whole
    }
    return this.#viewRuns(block)
  }

  #viewRuns(block: number): readonly Uint8Array[] | undefined {
    const runs: Uint8Array[] = []
    for (const { storage, offset, length } of runsOf(this, block)) {
      const bytes = this.storages[storage]!.bytes(offset, length)
      if (bytes === undefined) return undefined
      runs.push(bytes)
    }
    return runs
  }
}

/** The regions of a block in canonical order, neighbours joined (but not across layers of whole blocks, which windows may cut). */
function* runsOf(layout: Layout, block: number): Generator<{ storage: number; offset: number; length: number }> {
  const { numLayers, outerDim } = layout.shape
  let run: { storage: number; offset: number; length: number } | undefined
  for (let layer = 0; layer < numLayers; layer++) {
    for (let outer = 0; outer < outerDim; outer++) {
      const storage = layout.storageOf(block, layer)
      const offset = layout.offsetOf(block, layer, outer)
      if (!layout.wholeBlocks && run?.storage === storage && run.offset + run.length === offset)
        run.length += layout.regionBytes
      else {
        if (run !== undefined) yield run
        run = { storage, offset, length: layout.regionBytes }
      }
    }
  }
  if (run !== undefined) yield run
}

export function checkIndex(axis: string, index: number, count: number): void {
  if (!(Number.isInteger(index) && index >= 0 && index < count)) throw invalidArgument(axis, `0 to ${count - 1}`, index)
}

/** The smallest multiple of `alignment` (a power of two) that is not below `value`. */
export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment
}
