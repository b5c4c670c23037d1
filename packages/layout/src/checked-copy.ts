import type { CopySide } from './copy-side.js'

/** Consecutive layers. */
export interface LayerRange {
  readonly from: number
  /** Not included. */
  readonly to: number
}

/** A copy whose arguments were checked. */
export interface CheckedCopy {
  readonly from: CopySide
  readonly fromIds: Uint32Array
  readonly to: CopySide
  readonly toIds: Uint32Array
  readonly layers: LayerRange
}
