export {
  createLayout,
  type LayoutGeometry,
  type LayoutOptions,
  layoutStorageBytes,
} from './create-layout.js'
export type { Layout } from './layout.js'
export type { LayerRange } from './plan-between.js'
export { type BytesRequest, planBytes, planPieces } from './plan-bytes.js'
export { type CopyRequest, planCopy } from './plan-copy.js'
export { type HandOverRequest, planHandOver } from './plan-hand-over.js'
export type { CopyPlan } from './run-list.js'
