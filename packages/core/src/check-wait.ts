import { invalidArgument } from './assert.js'

/** What ends a wait, as callers give it. */
interface Wait {
  readonly signal?: unknown
  readonly deadlineMs?: unknown
}

/** Throws `RangeError` for what is no patience: `signal` is an `AbortSignal` or absent, `deadlineMs` a number of 0 or more or absent. */
export function checkWait(wait: Wait): void {
  if (typeof wait !== 'object' || wait === null)
    throw invalidArgument('options', 'an object with signal and deadlineMs, or nothing', wait)
  const { signal, deadlineMs } = wait
  if (signal !== undefined && !isSignal(signal)) throw invalidArgument('signal', 'an AbortSignal', signal)
  if (deadlineMs === undefined || (typeof deadlineMs === 'number' && deadlineMs >= 0)) return
  throw invalidArgument('deadlineMs', 'a number of 0 or more', deadlineMs)
}

/** By its methods: a signal may come from another realm. */
function isSignal(value: unknown): boolean {
  const { throwIfAborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>
  return typeof throwIfAborted === 'function' && typeof addEventListener === 'function'
}
