import { type BlockShape, blockBytes, LayoutType, regionBytes, type Storage } from '@kvbm/core'
import { expectStorages } from './expect-storages.js'
import { alignUp, BaseLayout } from './layout.js'

export interface ContiguousOptions {
  readonly shape: BlockShape
  readonly numBlocks: number
  readonly storages: readonly Storage[]
  readonly alignment: number
}

/** Bytes from the start of one block to the start of the next. */
export function contiguousStride(shape: BlockShape, alignment: number): number {
  return alignUp(blockBytes(shape), alignment)
}

/** Bytes of the storage: no padding after the last block, and slack to reach the first aligned address. */
export function contiguousBytes(shape: BlockShape, numBlocks: number, alignment: number): number {
  return (numBlocks - 1) * contiguousStride(shape, alignment) + blockBytes(shape) + (alignment - 1)
}

/** `[block][layer][outer][token][inner]` in one storage; each block begins at a multiple of `alignment`. */
export class FullyContiguousLayout extends BaseLayout {
  readonly type = LayoutType.FullyContiguous
  readonly #base: number
  readonly #blockStride: number
  readonly #layerStride: number
  readonly #region: number

  constructor({ shape, numBlocks, storages, alignment }: ContiguousOptions) {
    super({ shape, numBlocks, storages, wholeBlocks: true })
    this.#base = storages[0]?.alignmentOffset(alignment) ?? 0
    this.#blockStride = contiguousStride(shape, alignment)
    this.#region = regionBytes(shape)
    this.#layerStride = this.#region * shape.outerDim
    const needed = this.#base + (numBlocks - 1) * this.#blockStride + blockBytes(shape)
    expectStorages('fully-contiguous', storages, [needed])
  }

  storageOf(): number {
    return 0
  }

  offsetOf(block: number, layer: number, outer: number): number {
    return this.#base + block * this.#blockStride + layer * this.#layerStride + outer * this.#region
  }
}
