import { readFile, writeFile } from 'node:fs/promises'
import { DirectoryLockedError, StorageIoError } from '@kvbm/core'
import type { Binding, LockHandle } from '@kvbm/native'

/** There is no way to lock a file here: neither this process nor another could know that it is alone. Code `KVBM_STORAGE_IO`. */
export class LockUnavailableError extends StorageIoError {}

/**
 * Takes the lock at `path`. Beside it a note says which process wrote last: the lock file itself cannot be read on every
 * system while it is held. The note is only for the error message; the kernel's lock decides.
 */
export async function lockOrThrow(binding: Binding, directory: string, path: string): Promise<LockHandle> {
  const lock = await tryLock(binding, path)
  const note = `${path}-holder.txt`
  if (lock === undefined) throw new DirectoryLockedError(directory, await readNote(note))
  await writeFile(note, `process ${process.pid}\n`, { mode: 0o600 }).catch(() => undefined)
  return lock
}

async function tryLock(binding: Binding, path: string): Promise<LockHandle | undefined> {
  try {
    return await binding.lockFile(path)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new LockUnavailableError(`${why} Without a lock two processes could damage each other's blocks.`, { cause })
  }
}

async function readNote(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const holder = text.trim().slice(0, 80)
  if (holder === `process ${process.pid}`) return 'this process holds its lock'
  return holder === '' ? 'its lock is held' : `${holder} holds its lock`
}
