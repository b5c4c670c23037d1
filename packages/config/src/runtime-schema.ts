import {
  ConfigError,
  type Logger,
  type MetricsRegistry,
  silentLogger,
  type TransferAgent,
  type TransferRuntime,
} from '@kvbm/core'
import { z } from 'zod'
import { frozen, unbuilt } from './draft.js'
import { check, guarded, integer } from './issues.js'
import type { NixlOptions, ResolvedNixl } from './nixl-options.js'
import { isAgent, isLogger, isRegistry, isSignal, isTransferRuntime } from './structural.js'

/** How a manager runs, as written by hand. Everything has a default. */
export interface RuntimeInput {
  /** Number of this worker, in metrics and exported metadata. Default 0. */
  readonly workerId?: number | undefined
  /** Closes the manager when aborted. */
  readonly signal?: AbortSignal | undefined
  /** Default: enabled where NIXL is found, silently off elsewhere. */
  readonly nixl?: NixlOptions | ResolvedNixl | undefined
  /** Threads that copy and do file I/O; several managers may share them. Default: the manager's own, which end with it. */
  readonly asyncRuntime?: TransferRuntime | undefined
  /** Your prom-client registry. Default: no metrics. */
  readonly metricsRegistry?: MetricsRegistry | undefined
  /** `console` or a pino logger. Default: silent. */
  readonly logger?: Logger | undefined
  /** Whether native code is wanted. Default: what `KVBM_NATIVE` says, else `'auto'`. */
  readonly native?: 'auto' | 'required' | 'portable' | undefined
}

/** How a manager runs, complete. */
export interface RuntimeConfig {
  readonly workerId: number
  readonly signal?: AbortSignal
  readonly nixl: ResolvedNixl
  readonly asyncRuntime?: TransferRuntime
  readonly metricsRegistry?: MetricsRegistry
  readonly logger: Logger
  readonly native?: 'auto' | 'required' | 'portable'
}

const flag = z.boolean().optional()

const nixlSchema = z.discriminatedUnion('mode', [
  z.strictObject({ mode: z.literal('enabled'), required: flag, explicit: flag }),
  z.strictObject({
    mode: z.literal('with-agent'),
    agent: guarded<TransferAgent>(isAgent),
    required: flag,
    explicit: flag,
  }),
  z.strictObject({ mode: z.literal('disabled'), required: z.literal(false).optional(), explicit: flag }),
])

/** Fields of `runtime`. */
export const runtimeSchema = z.strictObject({
  workerId: integer(0).optional(),
  signal: guarded<AbortSignal>(isSignal).optional(),
  nixl: nixlSchema.optional(),
  asyncRuntime: guarded<TransferRuntime>(isTransferRuntime).optional(),
  metricsRegistry: guarded<MetricsRegistry>(isRegistry).optional(),
  logger: guarded<Logger>(isLogger).optional(),
  native: z.enum(['auto', 'required', 'portable']).optional(),
})

type Fields = z.output<typeof runtimeSchema>

function resolveNixl(nixl: Fields['nixl']): ResolvedNixl {
  if (nixl === undefined) return Object.freeze({ mode: 'enabled', required: false, explicit: false })
  const agent = nixl.mode === 'with-agent' ? nixl.agent : undefined
  return frozen<ResolvedNixl>({
    mode: nixl.mode,
    agent,
    required: nixl.required ?? false,
    explicit: nixl.explicit ?? true,
  })
}

/** Fills the defaults of fields that were checked. */
export function resolveRuntime(fields: Fields): RuntimeConfig {
  return frozen<RuntimeConfig>({
    ...fields,
    workerId: fields.workerId ?? 0,
    nixl: resolveNixl(fields.nixl),
    logger: fields.logger ?? silentLogger,
  })
}

/** A complete runtime from a plain object or a builder. Throws `ConfigError` with every violation. */
export function parseRuntime(input: unknown): RuntimeConfig {
  const checked = check(runtimeSchema, unbuilt(input), ['runtime'])
  if (!checked.ok) throw new ConfigError(checked.issues)
  return resolveRuntime(checked.value)
}
