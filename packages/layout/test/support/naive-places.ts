import { type BlockShape, LayoutType, type RegionAddress } from '@kvbm/core'

export interface NaiveRequest {
  readonly type: LayoutType
  readonly shape: BlockShape
  readonly numBlocks: number
  readonly alignment: number
  /** Bytes of a row (element width × inner dimension). */
  readonly row: number
  /** Where each storage begins. */
  readonly address: number
  /** Only paged: whole pages in one segment. */
  readonly pages: number
}

type Place = (block: number, layer: number, outer: number) => RegionAddress

/**
 * Where regions lie, found by walking: regions are put one behind the other in the order of the layout, and bytes are skipped
 * one by one until an address is aligned. Paged blocks take pages in ascending order.
 */
export function naivePlaces(request: NaiveRequest): Place {
  const { type, shape, numBlocks, alignment, row, address, pages } = request
  const places = new Map<string, RegionAddress>()
  let storage = -1
  let offset = 0
  const nextStorage = () => {
    storage++
    offset = 0
  }
  const align = () => {
    while ((address + offset) % alignment !== 0) offset++
  }
  const put = (...region: [number, number, number]) => {
    places.set(region.join(), { storage, offset })
    offset += shape.pageSize * row
  }
  const blocks = [...Array(numBlocks).keys()]
  const layers = [...Array(shape.numLayers).keys()]
  const outers = [...Array(shape.outerDim).keys()]

  if (type === LayoutType.FullyContiguous || type === LayoutType.Paged) {
    for (const block of blocks) {
      if (block % (type === LayoutType.Paged ? pages : numBlocks) === 0) nextStorage()
      align()
      for (const layer of layers) for (const outer of outers) put(block, layer, outer)
    }
  } else if (type.kind === 'custom') {
    throw new Error('a strategy is its own model')
  } else if (type.outerContiguous) {
    for (const layer of layers) {
      nextStorage()
      for (const outer of outers)
        for (const block of blocks) {
          align()
          put(block, layer, outer)
        }
    }
  } else {
    for (const layer of layers) {
      nextStorage()
      for (const block of blocks) {
        align()
        for (const outer of outers) put(block, layer, outer)
      }
    }
  }
  return (block, layer, outer) => places.get([block, layer, outer].join())!
}
