export type { CaptureSkip } from './capture-scheduler.js'
export { checkTenant } from './check-tenant.js'
export { type Clock, systemClock } from './clock.js'
export type {
  ConnectOptions,
  ConnectorStatus,
  ExplainOptions,
  KvConnector,
  PromptOptions,
  WarmOptions,
} from './connector.js'
export type { CounterValues } from './counters.js'
export type {
  CaptureOutcome,
  CaptureRequest,
  DeclineReason,
  HandOver,
  KvBlockSink,
  KvBlockSource,
  KvEngineCapabilities,
  KvEngineDriver,
  KvGeometry,
  KvIdentity,
  KvSupport,
  LendHandOver,
  RestoreRequest,
} from './engine-driver.js'
export type { ExplainReason, FirstDifference, KvExplanation } from './explain.js'
export { type KvCache, type KvCacheStatus, openKvCache } from './kv-cache.js'
export type { KvCacheOptions } from './kv-cache-options.js'
export type { LoadEstimate, LoadReason } from './load-policy.js'
export { readModelNote } from './model-note.js'
export type { DiskState, ModelStatus } from './model-store.js'
export type { ScratchStatus } from './scratch-pool.js'
export type {
  CacheExplanation,
  ChatMessage,
  GeneratedText,
  GenerateRequest,
  GenerationEnd,
  GenerationEvent,
  PromptReady,
  PromptSpan,
  ServedModel,
  ServedStatus,
  WarmModelOptions,
  WarmReport,
} from './served-model.js'
export type { KvSession } from './session.js'
export type {
  CapturedOptions,
  CaptureRange,
  CaptureReport,
  KvLookup,
  Loaded,
  LoadOptions,
  LookupOptions,
  Prefilled,
  SessionOptions,
  SessionReport,
} from './session-types.js'
export type { TierSpan, TierTokens } from './tier-tokens.js'
export type { Warmed } from './warm.js'
