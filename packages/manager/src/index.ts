export type { SaltOptions } from '@kvbm/config'
export type { DropReason, Edge, EdgeCounters } from './counters.js'
export { KvBlockManager } from './kv-block-manager.js'
export { Lease, type LeaseRun } from './lease.js'
export type { Manager, OffloadOptions, OnboardOptions, ReadOptions } from './manager.js'
export type {
  BlocksCorrupt,
  EventsMissed,
  ManagerEvent,
  ManagerEventListener,
  TierRoleChanged,
  TierStateChanged,
} from './manager-event.js'
export type { OffloadReport } from './offload-run.js'
export type { WaitOptions } from './patience.js'
export type { RemoteStatus } from './remote.js'
export { DEFAULT_SETTINGS, type ManagerSettings } from './settings.js'
export type { EdgeStatus, ManagerStatus, TierStatus } from './status.js'
export { Tier } from './tier.js'
export type { BlockCounts } from './tier-counts.js'
export type { TierRole, TierState } from './tier-store.js'
