import type { LayoutStrategy } from './layout-strategy.js'

/** One storage per layer, each with that layer's part of every block. */
export interface LayerSeparateLayout {
  readonly kind: 'layer-separate'
  /** true: all keys, then all values of a layer; false: key and value of a block side by side. */
  readonly outerContiguous: boolean
}

/** A layout by a strategy of the user's own. Has no JSON form, since a strategy is code. */
export interface CustomLayout {
  readonly kind: 'custom'
  readonly strategy: LayoutStrategy
}

export type LayoutType = 'fully-contiguous' | 'paged' | LayerSeparateLayout | CustomLayout

/** How the blocks of one tier lie in memory. Constants are their own JSON form; a custom strategy is code. */
export const LayoutType = Object.freeze({
  /** One storage, block after block. */
  FullyContiguous: 'fully-contiguous',
  /** One storage per layer: `[outer][block]`. */
  LayerSeparate: Object.freeze({ kind: 'layer-separate', outerContiguous: true }),
  /** One storage per layer: `[block][outer]`. */
  LayerSeparateBlockContiguous: Object.freeze({ kind: 'layer-separate', outerContiguous: false }),
  /** One page holds one whole block; equal segments of pages are committed when first used. */
  Paged: 'paged',
  /** Your own arithmetic; `@kvbm/layout/testing` examines it. */
  Custom(strategy: LayoutStrategy): CustomLayout {
    return Object.freeze({ kind: 'custom', strategy })
  },
} as const)

/** `fully-contiguous`, `paged`, `layer-separate`, `custom`. */
export function layoutKind(type: LayoutType): 'fully-contiguous' | 'paged' | 'layer-separate' | 'custom' {
  return typeof type === 'string' ? type : type.kind
}
