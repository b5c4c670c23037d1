import { type BlockShape, blockBytes, type LayoutType, type RegionAddress, regionBytes, type Storage } from '@kvbm/core'
import { checkIds, checkIndex } from './check-index.js'
import type { Column } from './column.js'
import type { Layout } from './layout.js'
import { PIECE_FIELDS, planPieces } from './plan-pieces.js'
import { viewsOf } from './views-of.js'

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
  /** The number of each storage. */
  protected readonly regions: readonly number[]
  #committed = false

  constructor({ shape, numBlocks, storages, wholeBlocks }: BaseLayoutOptions) {
    this.shape = shape
    this.numBlocks = numBlocks
    this.blockBytes = blockBytes(shape)
    this.regionBytes = regionBytes(shape)
    this.storages = storages
    this.wholeBlocks = wholeBlocks
    this.regions = storages.map(({ regionId }) => regionId)
  }

  abstract storageOf(block: number, layer: number, outer: number): number
  abstract offsetOf(block: number, layer: number, outer: number): number
  abstract locateAll(ids: Uint32Array, layer: number, outer: number, into: Column): void

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
    const pieces = planPieces(this, Uint32Array.of(block))
    for (let at = 0; at < pieces.length; at += PIECE_FIELDS) {
      const storage = this.storages[this.regions.indexOf(pieces[at + 1]!)]!
      const shown = viewsOf(storage, pieces[at + 2]!, pieces[at + 3]!)
      if (shown === undefined) return undefined
      views.push(...shown)
    }
    return views.length === 1 ? views[0] : views
  }
}
