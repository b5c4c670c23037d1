import type {
  EventManager,
  Logger,
  MetricsRegistry,
  OffloadFilter,
  Storage,
  StorageAllocator,
  TransferAgent,
  TransferRuntime,
} from '@kvbm/core'

// Ports are recognised by their methods, never by class: two copies of a package must understand each other.

function has(value: unknown, methods: readonly string[]): value is Record<string, unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  return methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
}

export function isSignal(value: unknown): value is AbortSignal {
  return has(value, ['addEventListener', 'throwIfAborted']) && typeof value.aborted === 'boolean'
}

export function isAgent(value: unknown): value is TransferAgent {
  return has(value, ['close']) && typeof value.name === 'string' && value.name !== ''
}

export function isTransferRuntime(value: unknown): value is TransferRuntime {
  return has(value, ['submit', 'stats', 'close'])
}

export function isRegistry(value: unknown): value is MetricsRegistry {
  return has(value, ['metrics', 'getSingleMetric', 'registerMetric'])
}

export function isLogger(value: unknown): value is Logger {
  return has(value, ['debug', 'info', 'warn', 'error'])
}

export function isEventManager(value: unknown): value is EventManager {
  return has(value, ['publish'])
}

export function isOffloadFilter(value: unknown): value is OffloadFilter {
  return has(value, ['shouldOffload'])
}

export function isAllocator(value: unknown): value is StorageAllocator {
  return has(value, ['allocate']) && typeof value.kind === 'string'
}

export function isStorage(value: unknown): value is Storage {
  if (!has(value, ['bytes', 'commit', 'close']) || typeof value.kind !== 'string') return false
  return Number.isSafeInteger(value.sizeBytes) && Number.isSafeInteger(value.regionId)
}

export function isStrategy(value: unknown): boolean {
  return has(value, ['bind']) && typeof value.name === 'string'
}
