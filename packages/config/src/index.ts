export { BLOCKS_MAX, ConfigError, type ConfigIssue, DType, LayoutType } from '@kvbm/core'
export { BlockParallelismStrategy } from './block-parallelism.js'
export { formatBytes, parseBytes } from './byte-size.js'
export type { ConfigInput, ConfigObject, StrictInput, TiersOf } from './config-input.js'
export type { Unbuilt } from './draft.js'
export { configFromEnvironment, type Environment } from './environment.js'
export { ENVIRONMENT_VARIABLES, type EnvironmentVariable } from './environment-variables.js'
export { KvManagerLayoutConfig, type LayoutBuilder, type LayoutPart } from './layout-config.js'
export type { LayoutConfig, LayoutInput } from './layout-schema.js'
export { KvBlockManagerConfig, type ManagerConfigBuilder } from './manager-config.js'
export { KvManagerModelConfig, type ModelBuilder, type ModelPart } from './model-config.js'
export {
  FINGERPRINT_VERSION,
  fingerprintModel,
  modelFingerprint,
  modelSalt,
} from './model-identity.js'
export { MODEL_PRESETS, type ModelPreset, modelPreset } from './model-presets.js'
export type { InnerOrder, ModelConfig, ModelInput } from './model-schema.js'
export { NixlOptions, type ResolvedNixl } from './nixl-options.js'
export type { ParseOptions } from './parse-config.js'
export type { ResolvedConfig, ResolvedLayout } from './resolved-config.js'
export { KvManagerRuntimeConfig, type RuntimeBuilder, type RuntimePart } from './runtime-config.js'
export type { RuntimeConfig, RuntimeInput } from './runtime-schema.js'
export type { SaltOptions } from './salt-options.js'
export { blocksForBytes, bytesPerBlock, modelShape, RECOMMENDED_PERCENT, recommendedBlocks } from './sizing.js'
export type { MachineFacts } from './warnings.js'
