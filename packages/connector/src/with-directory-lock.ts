import { join } from 'node:path'
import { DirectoryLockedError } from '@kvbm/core'
import { claimDirectory, defaultTransferRuntime, type NativeTransferRuntime } from '@kvbm/storage'
import { type Clock, systemClock } from './clock.js'
import { pause } from './wait-for.js'

/** Whose lock, and by which clock it is waited for. */
export interface DirectoryLockOptions {
  /** Default: the process's shared runtime. */
  readonly runtime?: NativeTransferRuntime
  readonly clock?: Clock
}

/** How long to try for the short lock, and how long between two tries at first. */
const LOCK_WAIT_MS = 5000
const LOCK_RETRY_MS = 5

/**
 * Runs `act` under the short lock of a whole cache directory: who creates, grows or removes a sub-directory holds it. Rejects with
 * `DirectoryLockedError` when another process keeps it for seconds, with `DirectoryForeignError` for a directory that is not ours.
 */
export async function withDirectoryLock<T>(
  path: string,
  act: () => Promise<T>,
  { runtime = defaultTransferRuntime(), clock = systemClock }: DirectoryLockOptions = {},
): Promise<T> {
  await claimDirectory(path)
  const deadline = clock.now() + LOCK_WAIT_MS
  for (let retryMs = LOCK_RETRY_MS; ; retryMs *= 2) {
    const lock = await runtime.binding.lockFile(join(path, 'directory.lock'))
    if (lock !== undefined) return act().finally(() => lock.release())
    if (clock.now() >= deadline) throw new DirectoryLockedError(path, `its lock was held for ${LOCK_WAIT_MS} ms`)
    await pause(clock, retryMs * (0.5 + Math.random()))
  }
}
