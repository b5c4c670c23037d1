import { type BlockShape, type LayerSeparateLayout as LayerSeparateType, regionBytes, type Storage } from '@kvbm/core'
import { alignUp } from './align-up.js'
import { BaseLayout } from './base-layout.js'
import type { Column } from './column.js'
import { expectStorages } from './expect-storages.js'
import { locateEvenly } from './locate-evenly.js'

export interface LayerSeparateGeometry {
  readonly type: LayerSeparateType
  readonly shape: BlockShape
  readonly numBlocks: number
  readonly alignment: number
}

interface Strides {
  readonly block: number
  readonly outer: number
  /** Bytes of one layer's storage, without the slack for its alignment. */
  readonly data: number
}

function stridesOf({ type, shape, numBlocks, alignment }: LayerSeparateGeometry): Strides {
  const region = regionBytes(shape)
  if (!type.outerContiguous) {
    const block = alignUp(region * shape.outerDim, alignment)
    return { block, outer: region, data: block * numBlocks }
  }
  const block = alignUp(region, alignment)
  return { block, outer: block * numBlocks, data: block * numBlocks * shape.outerDim }
}

/** Bytes of the storage of one layer, slack included. */
export function layerBytes(geometry: LayerSeparateGeometry): number {
  return stridesOf(geometry).data + (geometry.alignment - 1)
}

/** One storage per layer: `[outer][block][token][inner]`, or `[block][outer][token][inner]`. */
export class LayerSeparateLayout extends BaseLayout {
  readonly type: LayerSeparateType
  readonly #bases: readonly number[]
  readonly #strides: Strides

  constructor(options: LayerSeparateGeometry & { readonly storages: readonly Storage[] }) {
    const { type, shape, storages, alignment } = options
    super({ ...options, wholeBlocks: false })
    this.type = type
    this.#strides = stridesOf(options)
    this.#bases = storages.map((storage) => storage.alignmentOffset(alignment))
    const needed = Array.from({ length: shape.numLayers }, (_, layer) => (this.#bases[layer] ?? 0) + this.#strides.data)
    expectStorages('layer-separate', storages, needed)
  }

  storageOf(_block: number, layer: number): number {
    return layer
  }

  offsetOf(block: number, layer: number, outer: number): number {
    return this.#bases[layer]! + block * this.#strides.block + outer * this.#strides.outer
  }

  locateAll(ids: Uint32Array, layer: number, outer: number, into: Column): void {
    const begin = this.offsetOf(0, layer, outer)
    locateEvenly(ids, { region: this.regions[layer]!, begin, stride: this.#strides.block }, into)
  }
}
