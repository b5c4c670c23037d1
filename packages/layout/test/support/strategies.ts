import {
  type BoundLayout,
  blockBytes,
  type LayoutRequest,
  type LayoutStrategy,
  LayoutType,
  type RegionAddress,
  regionBytes,
} from '@kvbm/core'

/** Bytes from one multiple of the alignment to the next that leave room for `bytes`. */
function strideOf(bytes: number, { alignment }: LayoutRequest): number {
  return Math.ceil(bytes / alignment) * alignment
}

/** Keys in one storage, values in another, as engines with two tensors have them: `[outer][block][layer]`. */
export const keysAndValuesApart: LayoutStrategy = {
  name: 'keys-and-values-apart',
  bind(request) {
    const { numBlocks, shape } = request
    const stride = strideOf(shape.numLayers * regionBytes(shape), request)
    return {
      storageBytes: new Array<number>(shape.outerDim).fill(numBlocks * stride),
      locate: (block, layer, outer) => ({ storage: outer, offset: block * stride + layer * regionBytes(shape) }),
    }
  },
}

/** One storage, last block first; its blocks are whole, although nobody says so. */
export const backwards: LayoutStrategy = {
  name: 'backwards',
  bind(request) {
    const { numBlocks, shape } = request
    const stride = strideOf(blockBytes(shape), request)
    return {
      storageBytes: [numBlocks * stride],
      locate: (block, layer, outer) => ({
        storage: 0,
        offset: (numBlocks - 1 - block) * stride + (layer * shape.outerDim + outer) * regionBytes(shape),
      }),
    }
  },
}

/** `keysAndValuesApart` with one thing wrong in what it answers. */
export function broken(name: string, change: (bound: BoundLayout, request: LayoutRequest) => BoundLayout): LayoutType {
  const bind = (request: LayoutRequest): BoundLayout => change(keysAndValuesApart.bind(request), request)
  return LayoutType.Custom({ name, bind })
}

/** `broken` in where some regions lie. */
export function misplaced(
  name: string,
  place: (address: RegionAddress, block: number, layer: number, outer: number, request: LayoutRequest) => RegionAddress,
): LayoutType {
  return broken(name, (bound, request) => ({
    ...bound,
    locate: (block, layer, outer) => place(bound.locate(block, layer, outer), block, layer, outer, request),
  }))
}
