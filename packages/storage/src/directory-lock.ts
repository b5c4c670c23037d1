import { readFile, writeFile } from 'node:fs/promises'
import { DirectoryLockedError } from '@kvbm/core'
import type { Binding, LockHandle } from '@kvbm/native'

/**
 * Takes the lock at `path`. Beside it a note says which process wrote last: the lock file itself cannot be read on every
 * system while it is held. The note is only for the error message; the kernel's lock decides.
 */
export async function lockOrThrow(binding: Binding, directory: string, path: string): Promise<LockHandle> {
  const lock = await binding.lockFile(path)
  const note = `${path}-holder.txt`
  if (lock === undefined) throw new DirectoryLockedError(directory, await readNote(note))
  await writeFile(note, `process ${process.pid}\n`, { mode: 0o600 }).catch(() => undefined)
  return lock
}

async function readNote(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const holder = text.trim().slice(0, 80)
  if (holder === `process ${process.pid}`) return 'this process holds its lock'
  return holder === '' ? 'its lock is held' : `${holder} holds its lock`
}
