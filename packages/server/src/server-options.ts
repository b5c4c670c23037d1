import type { ServedModel } from '@kvbm/connector'
import {
  invalidArgument,
  type Logger,
  type MetricsRegistry,
  nonNegativeInteger,
  positiveInteger,
  silentLogger,
} from '@kvbm/core'
import { newControlToken } from './access.js'

/** What is served, to whom, and within which bounds. */
export interface KvServerOptions {
  /** The models to serve; the first answers requests that name none. */
  readonly models: readonly ServedModel[]
  /** Keys of the API. Each is a tenant of its own: its blocks are invisible to the others. Default none: one shared cache. */
  readonly apiKeys?: readonly string[] | undefined
  /** Host names, besides loopback's, under which the server may be addressed: `name` on any port, `name:port` on one. */
  readonly allowedHosts?: readonly string[] | undefined
  /** What routes that change the server's state ask for. Default: random. */
  readonly controlToken?: string | undefined
  /** Requests per model that may wait for a free sequence; a further one gets 429. Default 64. */
  readonly waitingMax?: number | undefined
  /** Largest request body, in bytes. Default 1 MiB: about a quarter million tokens of text. */
  readonly bodyBytesMax?: number | undefined
  readonly metricsRegistry?: MetricsRegistry | undefined
  readonly logger?: Logger | undefined
}

export type ResolvedOptions = { readonly [K in keyof Required<KvServerOptions>]: NonNullable<KvServerOptions[K]> } & {
  readonly metricsRegistry: MetricsRegistry | undefined
}

export function resolveOptions(
  options: KvServerOptions,
): Omit<ResolvedOptions, 'metricsRegistry'> & Pick<KvServerOptions, 'metricsRegistry'> {
  const { models, apiKeys = [] } = options
  if (models.length === 0) throw invalidArgument('models', 'at least one model', models)
  if (apiKeys.some((key) => key.length < 8)) throw new RangeError('apiKeys: expected keys of at least 8 characters')
  return {
    models,
    apiKeys,
    allowedHosts: options.allowedHosts ?? [],
    controlToken: options.controlToken ?? newControlToken(),
    waitingMax: nonNegativeInteger('waitingMax', options.waitingMax ?? 64),
    bodyBytesMax: positiveInteger('bodyBytesMax', options.bodyBytesMax ?? 2 ** 20),
    metricsRegistry: options.metricsRegistry,
    logger: options.logger ?? silentLogger,
  }
}
