import { shortened, textOf } from './shown.js'

/** Stable codes; docs/errors.md explains each. Messages may improve, codes stay within a major version. */
export type KvbmErrorCode =
  | 'KVBM_CONFIG_INVALID'
  | 'KVBM_POOL_EXHAUSTED'
  | 'KVBM_BLOCK_CONSUMED'
  | 'KVBM_CLOSED'
  | 'KVBM_DEADLINE'
  | 'KVBM_STORAGE_FULL'
  | 'KVBM_STORAGE_IO'
  | 'KVBM_DIRECTORY_LOCKED'
  | 'KVBM_DIRECTORY_FOREIGN'
  | 'KVBM_NATIVE_UNAVAILABLE'
  | 'KVBM_NATIVE_MISMATCH'
  | 'KVBM_DEVICE_UNAVAILABLE'
  | 'KVBM_SHARDING_UNAVAILABLE'
  | 'KVBM_NIXL_UNAVAILABLE'
  | 'KVBM_MODEL_UNAVAILABLE'

/** Something that can go wrong in operation. Compare `code`, also across copies of this package: `KvbmError.is`. */
export class KvbmError extends Error {
  readonly code: KvbmErrorCode

  constructor(code: KvbmErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
    this.name = new.target.name
  }

  static is(error: unknown, code?: KvbmErrorCode): error is KvbmError {
    const found = (error as { code?: unknown } | null | undefined)?.code
    if (!(error instanceof Error) || typeof found !== 'string' || !found.startsWith('KVBM_')) return false
    return code === undefined || found === code
  }
}

/** One violated rule of a configuration. `path` is dotted: `hostLayout.numBlocks`. */
export interface ConfigIssue {
  readonly path: string
  readonly value: unknown
  readonly rule: string
  readonly remedy: string
}

/** A configuration breaks rules: `issues` has all of them. Nothing was created. */
export class ConfigError extends KvbmError {
  readonly issues: readonly ConfigIssue[]

  constructor(issues: readonly ConfigIssue[]) {
    const lines = issues.map(lineOf)
    super(
      'KVBM_CONFIG_INVALID',
      `${issues.length} problem${issues.length === 1 ? '' : 's'} in the configuration:\n${lines.join('\n')}`,
    )
    this.issues = issues
  }
}

/** Characters of a name or a value that an error message repeats. */
const SHOWN_CHARS_MAX = 200

function lineOf({ path, rule, value, remedy }: ConfigIssue): string {
  return `  ${shortened(path, SHOWN_CHARS_MAX)}: ${rule}, got ${show(value)}. ${remedy}`
}

function show(value: unknown): string {
  return shortened(spelled(value), SHOWN_CHARS_MAX)
}

function spelled(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'number') return String(value)
  const short = abbreviated(value)
  if (short !== value) return String(short)
  try {
    return JSON.stringify(value, (_, inner) => abbreviated(inner)) ?? textOf(value)
  } catch {
    return textOf(value)
  }
}

// Memory is named by its size: spelling out the bytes of a tier would take longer than the mistake is worth.
function abbreviated(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return 'a function'
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${value.byteLength} bytes`
  return value
}

/** Fewer blocks can be had than were asked for, with the numbers as fields. Nothing was taken. */
export class PoolExhaustedError extends KvbmError {
  readonly requested: number
  readonly available: number
  readonly total: number
  readonly waiting: number

  constructor(facts: {
    readonly requested: number
    readonly available: number
    readonly total: number
    readonly waiting: number
  }) {
    const { requested, available, total, waiting } = facts
    super(
      'KVBM_POOL_EXHAUSTED',
      `Not enough free blocks: ${requested} requested, ${available} of ${total} available, ${waiting} callers waiting. Release blocks or raise numBlocks.`,
    )
    this.requested = requested
    this.available = available
    this.total = total
    this.waiting = waiting
  }
}

/** A handle was used after `by` had consumed it. Its blocks belong to the handle that `by` returned. */
export class BlockConsumedError extends KvbmError {
  constructor(handle: string, by: string) {
    const remedy =
      by === 'release()'
        ? 'Its blocks went back to the pool: allocate or match again, and release last.'
        : `Use the handle that ${by} returned.`
    super('KVBM_BLOCK_CONSUMED', `This ${handle} handle was consumed by ${by}. ${remedy}`)
  }
}

/** Something was used after its close, or while it was closing. */
export class ClosedError extends KvbmError {
  constructor(what: string) {
    super('KVBM_CLOSED', `The ${what} is closed. Create a new one, or close it after the last use.`)
  }
}

/** A wait was longer than its deadline. What was waited for may still end; its memory is not reused before. */
export class DeadlineError extends KvbmError {
  constructor(what: string, deadlineMs: number) {
    super('KVBM_DEADLINE', `${what} did not finish within ${deadlineMs} ms. Raise the deadline or lower the load.`)
  }
}

/** No room for memory or a file of this size. What was taken before the failure was given back. */
export class StorageFullError extends KvbmError {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super('KVBM_STORAGE_FULL', message, options)
  }
}

/** Reading, writing or copying failed or fell short. `cause` has the error of the system where there is one. */
export class StorageIoError extends KvbmError {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super('KVBM_STORAGE_IO', message, options)
  }
}

/** Another process has the cache directory. Its lock goes with it, also when it is killed. */
export class DirectoryLockedError extends KvbmError {
  constructor(directory: string, detail: string) {
    super(
      'KVBM_DIRECTORY_LOCKED',
      `The cache directory ${directory} is in use: ${detail}. Close it there, or choose another path.`,
    )
  }
}

/** The cache directory is not ours to write: foreign, unsafe, or of a newer format. Nothing in it was changed. */
export class DirectoryForeignError extends KvbmError {
  constructor(directory: string, detail: string) {
    super(
      'KVBM_DIRECTORY_FOREIGN',
      `The directory ${directory} is not ours to write: ${detail}. Choose an empty directory; nothing was changed.`,
    )
  }
}

/** The native library was required, or something only it can do was asked for, and it cannot be had. */
export class NativeUnavailableError extends KvbmError {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super('KVBM_NATIVE_UNAVAILABLE', message, options)
  }
}

/** A native library was found that was built for another version of this package. */
export class NativeMismatchError extends KvbmError {
  constructor(expected: number, actual: number, path: string) {
    super(
      'KVBM_NATIVE_MISMATCH',
      `The native library ${path} speaks ABI ${actual}, this package ABI ${expected}. Install matching versions or rebuild it.`,
    )
  }
}

/** The device that was asked for by name is not here. */
export class DeviceUnavailableError extends KvbmError {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super('KVBM_DEVICE_UNAVAILABLE', message, options)
  }
}

/** A layout is spread over worker processes (`logical`), which this version cannot do. */
export class ShardingUnavailableError extends KvbmError {
  constructor(path: string) {
    super(
      'KVBM_SHARDING_UNAVAILABLE',
      `${path}.logical: sharding over worker processes is not part of this version. Give the layout an allocator instead.`,
    )
  }
}

/** Remote transfer through NIXL was required and cannot be had. */
export class NixlUnavailableError extends KvbmError {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super('KVBM_NIXL_UNAVAILABLE', message, options)
  }
}

/** The model that was asked for by name cannot be had. */
export class ModelUnavailableError extends KvbmError {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super('KVBM_MODEL_UNAVAILABLE', message, options)
  }
}
