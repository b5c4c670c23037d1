import { writeFile } from 'node:fs/promises'
import { DirectoryLockedError, StorageIoError } from '@kvbm/core'
import type { Binding, LockHandle } from '@kvbm/native'
import { checkOwnFile, readOwnText } from './private-directory.js'

/** There is no way to lock a file here: neither this process nor another could know that it is alone. Code `KVBM_STORAGE_IO`. */
export class LockUnavailableError extends StorageIoError {}

/**
 * Takes the lock at `path`. Beside it a note says which process wrote last: the lock file itself cannot be read on every
 * system while it is held. The note is only for the error message; the kernel's lock decides. Throws `DirectoryForeignError`
 * where one of the two is not a file of ours, before anything is written.
 */
export async function lockOrThrow(binding: Binding, directory: string, path: string): Promise<LockHandle> {
  const note = `${path}-holder.txt`
  for (const file of [path, note]) await checkOwnFile(directory, file)
  const lock = await tryLock(binding, path)
  if (lock === undefined) throw new DirectoryLockedError(directory, await readNote(directory, note))
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

async function readNote(directory: string, path: string): Promise<string> {
  const holder = (await readOwnText(directory, path)).slice(0, 80)
  if (holder === `process ${process.pid}`) return 'this process holds its lock'
  return holder === '' ? 'its lock is held' : `${holder} holds its lock`
}
