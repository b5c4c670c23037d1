import { StorageFullError, StorageIoError } from '@kvbm/core'

/** What an access does. A copy reads its source and writes its target, be they memory or files. */
export type FaultOperation = 'allocate' | 'open' | 'read' | 'write' | 'reserve' | 'sync' | 'lock'

/** Which accesses are meant. */
export interface FaultTarget {
  /** Number of a region. Default: any. */
  readonly region?: number
  /** Default: any. */
  readonly operation?: FaultOperation
  /** How many of them go well first. Default 0. */
  readonly after?: number
  /** How many of them are hit then. Default 1. */
  readonly times?: number
}

/** Errors of the system that can be simulated. */
export type FaultCode = 'EIO' | 'EROFS' | 'ENOSPC' | 'EDQUOT'

/** What happens to an access. */
export type Fault =
  | { readonly kind: 'error'; readonly code: FaultCode }
  | { readonly kind: 'short'; readonly bytes: number }
  | { readonly kind: 'flip'; readonly bit: number }

/** One region that an access touches; without a number where there is none yet. */
export interface Touch {
  readonly operation: FaultOperation
  readonly region?: number
}

export function errorOfCode(code: FaultCode): StorageFullError | StorageIoError {
  const cause = Object.assign(new Error(code), { code })
  const message = `Simulated fault: ${code}. Clear the faults to go on.`
  return code === 'EIO' || code === 'EROFS'
    ? new StorageIoError(message, { cause })
    : new StorageFullError(message, { cause })
}

export function shortAccess(bytes: number): StorageIoError {
  return new StorageIoError(`Simulated fault: the access ended after ${bytes} bytes. Clear the faults to go on.`)
}

export function lostDevice(region: number): StorageIoError {
  return new StorageIoError(`Simulated fault: the device of region ${region} is lost. Make a new one.`)
}
