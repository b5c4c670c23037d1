import { assert, type BlockShape, blockBytes, LayoutType, regionBytes, type Storage } from '@kvbm/core'
import { expectStorages } from './expect-storages.js'
import { alignUp, BaseLayout, checkIndex } from './layout.js'

export interface PagedOptions {
  readonly shape: BlockShape
  readonly numBlocks: number
  readonly storages: readonly Storage[]
  readonly alignment: number
  readonly segmentBytes: number
}

/** Pages of one segment: as many as fit, at least one. */
function pagesPerSegment(shape: BlockShape, alignment: number, segmentBytes: number): number {
  return Math.max(1, Math.floor(segmentBytes / alignUp(blockBytes(shape), alignment)))
}

/** Bytes of each segment; all equal, but the last holds only the pages that are left. */
export function segmentSizes({ shape, numBlocks, alignment, segmentBytes }: Omit<PagedOptions, 'storages'>): number[] {
  const pages = pagesPerSegment(shape, alignment, segmentBytes)
  const stride = alignUp(blockBytes(shape), alignment)
  const sizes: number[] = []
  for (let left = numBlocks; left > 0; left -= pages) sizes.push(Math.min(left, pages) * stride + (alignment - 1))
  return sizes
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

  constructor(options: PagedOptions) {
    const { shape, numBlocks, storages, alignment, segmentBytes } = options
    super({ shape, numBlocks, storages, wholeBlocks: true })
    this.#pages = pagesPerSegment(shape, alignment, segmentBytes)
    this.#stride = alignUp(blockBytes(shape), alignment)
    this.#region = regionBytes(shape)
    this.#bases = storages.map((storage) => storage.alignmentOffset(alignment))
    expectStorages(
      'paged',
      storages,
      segmentSizes(options).map((size, index) => size - (alignment - 1) + (this.#bases[index] ?? 0)),
    )
    this.#pageOf = new Uint32Array(numBlocks).fill(NO_PAGE)
  }

  /** Pages given so far. */
  get pagesGiven(): number {
    return this.#pagesGiven
  }

  override commit(ids: Uint32Array): void {
    for (const id of ids) {
      checkIndex('block', id, this.numBlocks)
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
    const page = this.#pageOfUsed(block)
    const segment = Math.floor(page / this.#pages)
    return (
      this.#bases[segment]! +
      (page - segment * this.#pages) * this.#stride +
      (layer * this.shape.outerDim + outer) * this.#region
    )
  }

  #pageOfUsed(block: number): number {
    const page = this.#pageOf[block]!
    assert(page !== NO_PAGE, `block ${block} is used before it was committed`)
    return page
  }
}
