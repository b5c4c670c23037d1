import { type BlockShape, blockBytes, LayoutType, regionBytes, type Storage } from '@kvbm/core'
import { alignUp } from './align-up.js'
import { BaseLayout } from './base-layout.js'
import type { Column } from './column.js'
import { expectStorages } from './expect-storages.js'
import { locateEvenly } from './locate-evenly.js'

export interface ContiguousGeometry {
  readonly shape: BlockShape
  readonly numBlocks: number
  readonly alignment: number
}

/** Bytes of all blocks: no padding after the last one. */
function dataBytes({ shape, numBlocks, alignment }: ContiguousGeometry): number {
  return (numBlocks - 1) * alignUp(blockBytes(shape), alignment) + blockBytes(shape)
}

/** Bytes of the storage, with slack to reach the first aligned address. */
export function contiguousBytes(geometry: ContiguousGeometry): number {
  return dataBytes(geometry) + (geometry.alignment - 1)
}

/** `[block][layer][outer][token][inner]` in one storage; each block begins at a multiple of `alignment`. */
export class FullyContiguousLayout extends BaseLayout {
  readonly type = LayoutType.FullyContiguous
  readonly #base: number
  readonly #blockStride: number
  readonly #region: number

  constructor(options: ContiguousGeometry & { readonly storages: readonly Storage[] }) {
    const { shape, storages, alignment } = options
    super({ ...options, wholeBlocks: true })
    this.#base = storages[0]?.alignmentOffset(alignment) ?? 0
    this.#blockStride = alignUp(blockBytes(shape), alignment)
    this.#region = regionBytes(shape)
    expectStorages('fully-contiguous', storages, [this.#base + dataBytes(options)])
  }

  storageOf(): number {
    return 0
  }

  offsetOf(block: number, layer: number, outer: number): number {
    return this.#base + block * this.#blockStride + (layer * this.shape.outerDim + outer) * this.#region
  }

  locateAll(ids: Uint32Array, layer: number, outer: number, into: Column): void {
    const begin = this.offsetOf(0, layer, outer)
    locateEvenly(ids, { region: this.regions[0]!, begin, stride: this.#blockStride }, into)
  }
}
