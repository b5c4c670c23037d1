import { parseBytes } from '@kvbm/config'
import { invalidArgument, type Logger, type MetricsRegistry, positiveInteger, silentLogger } from '@kvbm/core'
import { type Clock, systemClock } from './clock.js'

/** What `openKvCache` takes. Everything has a default. */
export interface KvCacheOptions {
  /** Where blocks outlive the process. Absent: host memory only. */
  readonly dir?: string | undefined
  /** Memory over all models, e.g. `'1GiB'` or a number of bytes. Blocks from disk pass through memory, so it cannot be 0. Default 1 GiB. */
  readonly host?: string | number | undefined
  /** Disk over all models. 0: host memory only. Default 20 GiB. */
  readonly disk?: string | number | undefined
  /** Models that are cached at the same time; each has an equal share of `host` and `disk`. Default 2. */
  readonly modelsMax?: number | undefined
  /** Tokens per block, for adapters to take over. Default 16. */
  readonly pageSize?: number | undefined
  /** Longest time an engine may stand still for a capture while it is in use, in milliseconds. Default 50. */
  readonly maxStallMs?: number | undefined
  /** Bytes that pass between blocks and engines at once. Default 2 GiB. */
  readonly handOver?: string | number | undefined
  readonly logger?: Logger | undefined
  /** Your prom-client registry. Default: no metrics. */
  readonly metricsRegistry?: MetricsRegistry | undefined
  /** Closes the cache when it aborts. */
  readonly signal?: AbortSignal | undefined
  /** For tests. */
  readonly clock?: Clock | undefined
}

/** Checked and complete. */
export interface KvCacheSettings {
  readonly dir: string | undefined
  readonly hostBytes: number
  readonly diskBytes: number
  readonly modelsMax: number
  readonly pageSize: number
  readonly maxStallMs: number
  readonly handOverBytes: number
  readonly logger: Logger
  readonly metricsRegistry: MetricsRegistry | undefined
  readonly signal: AbortSignal | undefined
  readonly clock: Clock
}

/** Throws `RangeError` for a value that cannot be. */
export function resolveOptions(options: KvCacheOptions): KvCacheSettings {
  const {
    dir,
    host = '1GiB',
    disk = '20GiB',
    modelsMax = 2,
    pageSize = 16,
    maxStallMs = 50,
    handOver = '2GiB',
  } = options
  const hostBytes = parseBytes(host)
  if (hostBytes === 0) throw invalidArgument('host', "memory for blocks on their way, for example '256MiB'", host)
  if (dir !== undefined && (typeof dir !== 'string' || dir === ''))
    throw invalidArgument('dir', 'the path of a directory, or nothing', dir)
  if (!(maxStallMs >= 0)) throw invalidArgument('maxStallMs', 'a number of 0 or more', maxStallMs)
  return {
    dir,
    hostBytes,
    diskBytes: dir === undefined ? 0 : parseBytes(disk),
    modelsMax: positiveInteger('modelsMax', modelsMax),
    pageSize: positiveInteger('pageSize', pageSize),
    maxStallMs,
    handOverBytes: parseBytes(handOver),
    logger: options.logger ?? silentLogger,
    metricsRegistry: options.metricsRegistry,
    signal: options.signal,
    clock: options.clock ?? systemClock,
  }
}
