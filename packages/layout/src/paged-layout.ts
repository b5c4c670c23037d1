import { type BlockShape, blockBytes, LayoutType, regionBytes, type Storage } from '@kvbm/core'
import { alignUp } from './align-up.js'
import { BaseLayout } from './base-layout.js'
import { checkIds } from './check-index.js'
import type { Column } from './column.js'
import { expectStorages } from './expect-storages.js'

export interface PagedGeometry {
  readonly shape: BlockShape
  readonly numBlocks: number
  readonly alignment: number
  readonly segmentBytes: number
}

/** Bytes from one page to the next. */
function strideOf({ shape, alignment }: PagedGeometry): number {
  return alignUp(blockBytes(shape), alignment)
}

/** Pages of one segment: as many as fit, at least one. */
function pagesPerSegment(geometry: PagedGeometry): number {
  return Math.max(1, Math.floor(geometry.segmentBytes / strideOf(geometry)))
}

/** Bytes of the pages of each segment; all equal, but the last holds only the pages that are left. */
function dataSizes(geometry: PagedGeometry): number[] {
  const [pages, stride] = [pagesPerSegment(geometry), strideOf(geometry)]
  const sizes: number[] = []
  for (let left = geometry.numBlocks; left > 0; left -= pages) sizes.push(Math.min(left, pages) * stride)
  return sizes
}

/** Bytes of each segment, with slack to reach the first aligned address. */
export function segmentSizes(geometry: PagedGeometry): number[] {
  return dataSizes(geometry).map((size) => size + (geometry.alignment - 1))
}

const NO_PAGE = 0xffffffff

/**
 * One page holds one whole block. Pages lie in equal segments and are given in the order in which blocks are first used, so that
 * memory becomes real segment by segment. Invariant: `#pageOf` maps each used block to its own page, and pages below
 * `#pagesGiven` are exactly the given ones.
 */
export class PagedLayout extends BaseLayout {
  readonly type = LayoutType.Paged
  readonly #pageOf: Uint32Array
  readonly #bases: readonly number[]
  readonly #pages: number
  readonly #stride: number
  readonly #region: number
  #pagesGiven = 0

  constructor(options: PagedGeometry & { readonly storages: readonly Storage[] }) {
    const { shape, numBlocks, storages, alignment } = options
    super({ ...options, wholeBlocks: true })
    this.#pages = pagesPerSegment(options)
    this.#stride = strideOf(options)
    this.#region = regionBytes(shape)
    this.#bases = storages.map((storage) => storage.alignmentOffset(alignment))
    const needed = dataSizes(options).map((size, index) => (this.#bases[index] ?? 0) + size)
    expectStorages('paged', storages, needed)
    this.#pageOf = new Uint32Array(numBlocks).fill(NO_PAGE)
  }

  override commit(ids: Uint32Array): void {
    checkIds('ids', ids, this)
    for (const id of ids) {
      if (this.#pageOf[id] !== NO_PAGE) continue
      const page = this.#pagesGiven
      // The segment first: when it cannot be had, the block keeps no page.
      this.storages[Math.floor(page / this.#pages)]!.commit()
      this.#pageOf[id] = page
      this.#pagesGiven++
    }
  }

  storageOf(block: number): number {
    return Math.floor(this.#pageOfUsed(block) / this.#pages)
  }

  offsetOf(block: number, layer: number, outer: number): number {
    return this.#beginOf(this.#pageOfUsed(block)) + this.#inPage(layer, outer)
  }

  locateAll(ids: Uint32Array, layer: number, outer: number, { rows, at, step }: Column): void {
    const inPage = this.#inPage(layer, outer)
    for (let index = 0, into = at; index < ids.length; index++, into += step) {
      const page = this.#pageOfUsed(ids[index]!)
      rows[into] = this.regions[Math.floor(page / this.#pages)]!
      rows[into + 1] = this.#beginOf(page) + inPage
    }
  }

  /** Offset of a page in its segment. */
  #beginOf(page: number): number {
    const segment = Math.floor(page / this.#pages)
    return this.#bases[segment]! + (page - segment * this.#pages) * this.#stride
  }

  #inPage(layer: number, outer: number): number {
    return (layer * this.shape.outerDim + outer) * this.#region
  }

  #pageOfUsed(block: number): number {
    const page = this.#pageOf[block]!
    if (page === NO_PAGE)
      throw new RangeError(`block: expected one with a page, got ${block}, which was never used. commit() it first.`)
    return page
  }
}
