import type { Logger } from '@kvbm/core'
import type { Manager, SaltOptions } from '@kvbm/manager'
import type { CaptureScheduler } from './capture-scheduler.js'
import type { Clock } from './clock.js'
import type { ConnectorCounters } from './counters.js'
import type { KvEngineDriver } from './engine-driver.js'
import type { ExactRule } from './exact-prefix.js'
import type { LoadPolicy } from './load-policy.js'
import type { ModelStore } from './model-store.js'
import type { ScratchPool } from './scratch-pool.js'

/** What tells prompts apart beside their tokens. */
export interface PromptSalt {
  readonly tenant: string | undefined
  readonly exact: boolean
}

/** What the sessions of one connector share. */
export interface ConnectorParts<Slot> {
  readonly driver: KvEngineDriver<Slot>
  readonly store: ModelStore
  readonly policy: LoadPolicy
  readonly scheduler: CaptureScheduler
  readonly counters: ConnectorCounters
  readonly scratch: ScratchPool
  /** Those that were opened and not finished. */
  readonly sessions: Set<{ abandon(): Promise<void> }>
  readonly clock: Clock
  readonly logger: Logger
  readonly pageSize: number
  readonly exactRule: ExactRule
  /** Whether blocks of answers are captured too. */
  readonly generated: boolean
  /** Opens the manager; undefined when there is none to be had. Never rejects. */
  readonly ready: () => Promise<Manager | undefined>
  readonly saltOptions: (salt: PromptSalt) => SaltOptions
  /** The same as one text. */
  readonly saltOf: (salt: PromptSalt) => string
}
