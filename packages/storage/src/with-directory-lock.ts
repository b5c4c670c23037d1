import { join } from 'node:path'
import { DirectoryLockedError } from '@kvbm/core'
import { claimDirectory } from './private-directory.js'
import { bindingOf, type RuntimeOption } from './runtime-option.js'

/** By which a lock is waited for. */
export interface LockClock {
  /** Milliseconds that only grow. */
  now(): number
  /** Calls `run` once after `delayMs`; returns how to take that back. */
  after(delayMs: number, run: () => void): () => void
}

/** Whose lock, and by which clock it is waited for. */
export interface DirectoryLockOptions extends RuntimeOption {
  /** Default: the machine's. */
  readonly clock?: LockClock
}

/** How long to try for the short lock, and how long between two tries: at first, and at most. */
const LOCK_WAIT_MS = 5000
const LOCK_RETRY_MS = 5
const LOCK_RETRY_MAX_MS = 100

const machineClock: LockClock = Object.freeze({
  now: () => performance.now(),
  after: (delayMs: number, run: () => void) => {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
})

/**
 * Runs `act` under the short lock of a whole cache directory: who creates, grows or removes a sub-directory under a quota holds it.
 * Rejects with `DirectoryLockedError` when another process keeps it for seconds, with `DirectoryForeignError` for a directory that is
 * not ours.
 */
export async function withDirectoryLock<T>(
  path: string,
  act: () => Promise<T>,
  options: DirectoryLockOptions = {},
): Promise<T> {
  const { clock = machineClock } = options
  const binding = bindingOf(options)
  await claimDirectory(path)
  const deadline = clock.now() + LOCK_WAIT_MS
  for (let retryMs = LOCK_RETRY_MS; ; retryMs = Math.min(2 * retryMs, LOCK_RETRY_MAX_MS)) {
    const lock = await binding.lockFile(join(path, 'directory.lock'))
    if (lock !== undefined) return act().finally(() => lock.release())
    if (clock.now() >= deadline) throw new DirectoryLockedError(path, `its lock was held for ${LOCK_WAIT_MS} ms`)
    const delayMs = retryMs * (0.5 + Math.random())
    await new Promise<void>((resolve) => void clock.after(delayMs, resolve))
  }
}
