export { type KvCache, type KvCacheOptions, openKvCache, type SessionReport } from '@kvbm/connector'
export type { ContextCacheOptions } from './cache/context-cache.js'
export type { RequestSettings } from './cache/request-settings.js'
export type { SequenceCache } from './cache/sequence-cache.js'
export { kvCacheOf, type WithKvCacheOptions, withKvCache } from './cache/with-kv-cache.js'
export { LlamaDriver, type LlamaDriverOptions } from './driver/llama-driver.js'
export { type GgmlType, ggmlType } from './ggml-type.js'
export { LlamaServedModel } from './served-model/llama-served-model.js'
export { type ServeModelOptions, serveModel } from './served-model/serve-model.js'
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
