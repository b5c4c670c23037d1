export { ALIGNMENT_MAX } from './alignment-max.js'
export { assert, invalidArgument, nonNegativeInteger, positiveInteger } from './assert.js'
export { attempt } from './attempt.js'
export type { BlockBytes, BlockGather, BlockScatter } from './block-bytes.js'
export {
  BlockHashes,
  type BlockHashesOptions,
  type HashAlgorithm,
  PackedHashes,
  WORDS_PER_HASH,
} from './block-hashes.js'
export { type BlockShape, blockBytes, regionBytes, rowBytes } from './block-shape.js'
export { BLOCKS_MAX } from './blocks-max.js'
export { checkWait } from './check-wait.js'
export { DisposeStack } from './dispose-stack.js'
export { DType, dtypeName, dtypeWidthBytes, ELEMENT_DTYPES, type ElementDType, type OpaqueDType } from './dtype.js'
export {
  BlockConsumedError,
  ClosedError,
  ConfigError,
  type ConfigIssue,
  DeadlineError,
  DeviceUnavailableError,
  DirectoryForeignError,
  DirectoryLockedError,
  KvbmError,
  type KvbmErrorCode,
  ModelUnavailableError,
  NativeMismatchError,
  NativeUnavailableError,
  NixlUnavailableError,
  PoolExhaustedError,
  ShardingUnavailableError,
  StorageFullError,
  StorageIoError,
} from './errors.js'
export type { BlockEvent, BlocksRemoved, BlocksStored, EventManager, RemovalReason } from './events.js'
export { HashIndex, hashIndexEntries } from './hash-index.js'
export type { InnerOrder } from './inner-order.js'
export type { BoundLayout, LayoutRequest, LayoutStrategy, RegionAddress } from './layout-strategy.js'
export { type CustomLayout, type LayerSeparateLayout, LayoutType, layoutKind } from './layout-type.js'
export { type Logger, silentLogger } from './logger.js'
export type { MetricsRegistry } from './metrics-registry.js'
export { nearestName } from './nearest-name.js'
export type { OffloadFilter } from './offload-filter.js'
export { shortened } from './shown.js'
export type {
  AllocateRequest,
  AllocatorSpec,
  DiskIo,
  Storage,
  StorageAllocator,
  StorageDescription,
  StorageKind,
} from './storage.js'
export { TIER_NAMES, type TierName } from './tier.js'
export { TIMER_MS_MAX } from './timer-ms-max.js'
export type { TransferAgent } from './transfer-agent.js'
export type {
  TransferJob,
  TransferOptions,
  TransferPriority,
  TransferRuntime,
  TransferRuntimeStats,
  TransposedTable,
} from './transfer-runtime.js'
