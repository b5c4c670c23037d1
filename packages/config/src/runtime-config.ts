import type { Logger, MetricsRegistry, TransferAgent, TransferRuntime } from '@kvbm/core'
import { DRAFT, type Draft, type MISSING, type Unbuilt } from './draft.js'
import { parseRuntime, type RuntimeConfig, type RuntimeInput } from './runtime-schema.js'

/** Fluent, immutable sugar over the plain object. Nothing is required; of the three NIXL methods the last call wins. */
export class RuntimeBuilder {
  readonly [DRAFT]: Draft & { readonly part?: 'runtime' }
  declare readonly [MISSING]?: never

  constructor(draft: Draft = {}) {
    this[DRAFT] = Object.freeze(draft)
    Object.freeze(this)
  }

  #with(field: keyof RuntimeInput, value: unknown): RuntimeBuilder {
    return new RuntimeBuilder({ ...this[DRAFT], [field]: value })
  }

  /** Number of this worker. Default 0. */
  workerId(value: number): RuntimeBuilder {
    return this.#with('workerId', value)
  }

  /** Closes the manager when aborted. */
  signal(value: AbortSignal): RuntimeBuilder {
    return this.#with('signal', value)
  }

  /** Remote transfer with an agent of our own; `required` makes its absence an error. */
  enableNixl(options: { readonly required?: boolean } = {}): RuntimeBuilder {
    return this.#with('nixl', { mode: 'enabled', ...options })
  }

  /** Remote transfer with the given agent; the caller closes it. */
  useNixlAgent(agent: TransferAgent, options: { readonly required?: boolean } = {}): RuntimeBuilder {
    return this.#with('nixl', { mode: 'with-agent', agent, ...options })
  }

  disableNixl(): RuntimeBuilder {
    return this.#with('nixl', { mode: 'disabled' })
  }

  /** Threads that copy and do file I/O, shared by several managers. */
  asyncRuntime(value: TransferRuntime): RuntimeBuilder {
    return this.#with('asyncRuntime', value)
  }

  /** Your prom-client registry. */
  metricsRegistry(value: MetricsRegistry): RuntimeBuilder {
    return this.#with('metricsRegistry', value)
  }

  /** `console` or a pino logger. */
  logger(value: Logger): RuntimeBuilder {
    return this.#with('logger', value)
  }

  native(value: 'auto' | 'required' | 'portable'): RuntimeBuilder {
    return this.#with('native', value)
  }

  /** Checks and completes this part. Throws `ConfigError` with every violation. */
  build(): KvManagerRuntimeConfig {
    return parseRuntime(this)
  }
}

/** What a parent takes as its runtime. */
export type RuntimePart = RuntimeInput | Unbuilt<'runtime'>

/** How a manager runs, complete. */
export type KvManagerRuntimeConfig = RuntimeConfig

export const KvManagerRuntimeConfig = Object.freeze({
  builder: (): RuntimeBuilder => new RuntimeBuilder(),
  /** A complete runtime from a plain object or a builder. Throws `ConfigError` with every violation. */
  parse: (input: RuntimePart): KvManagerRuntimeConfig => parseRuntime(input),
})
