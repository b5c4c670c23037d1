export type { LayerRange } from './checked-copy.js'
export type { Column } from './column.js'
export type { CopyPlan } from './copy-plan.js'
export {
  createLayout,
  type LayoutGeometry,
  type LayoutOptions,
  layoutStorageBytes,
} from './create-layout.js'
export type { Layout } from './layout.js'
export { type BytesRequest, planBytes } from './plan-bytes.js'
export { type CopyRequest, planCopy } from './plan-copy.js'
export { type HandOverRequest, planHandOver } from './plan-hand-over.js'
export { planPieces } from './plan-pieces.js'
export type { Reorder } from './reorder.js'
