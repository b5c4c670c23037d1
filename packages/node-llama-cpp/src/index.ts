export { type GgmlType, ggmlType } from './ggml-type.js'
export { type ByteSource, fileSource, memorySource } from './state-file/byte-source.js'
export { type ParseOptions, parseStateFile } from './state-file/parse-state-file.js'
export { type CaptureRequest, planCapture } from './state-file/plan-capture.js'
export { type FramePiece, planRestore, type RestorePlan, type RestoreRequest } from './state-file/plan-restore.js'
export type { ParsedState, StateFile, StateRefusal } from './state-file/state-file.js'
export {
  blockShapeOf,
  type RowFormat,
  type StateGeometry,
  sameGeometry,
  tokenBytes,
} from './state-file/state-geometry.js'
