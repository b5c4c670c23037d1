import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Begins the names of everything that is not complete yet. */
const PARTIAL_PREFIX = '.partial-'
/** Leftovers of killed processes are removed after this time: no download takes longer. */
const PARTIAL_AGE_MS = 24 * 60 * 60 * 1000

/** A name beside `path` that nobody takes for a finished file. */
function partialPath(directory: string): string {
  return join(directory, `${PARTIAL_PREFIX}${process.pid}-${randomUUID()}`)
}

/** Writes a file under another name and renames it when `write` has resolved: `path` is complete or was not touched. */
export async function writeAtomically(path: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const partial = partialPath(dirname(path))
  try {
    const handle = await open(partial, 'wx')
    try {
      await write(handle)
    } finally {
      await handle.close()
    }
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

/** Runs `use` with a directory of its own inside `parent`, and removes it whatever happens. */
export async function withPartialDirectory<T>(parent: string, use: (directory: string) => Promise<T>): Promise<T> {
  const directory = partialPath(parent)
  await mkdir(directory, { recursive: true })
  try {
    return await use(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Removes what killed processes left behind. */
export async function sweepPartials(directory: string, now: number = Date.now()): Promise<void> {
  const names = await readdir(directory).catch(() => [])
  for (const name of names.filter((candidate) => candidate.startsWith(PARTIAL_PREFIX))) {
    const path = join(directory, name)
    const found = await stat(path).catch(() => undefined)
    if (found && now - found.mtimeMs > PARTIAL_AGE_MS) await rm(path, { recursive: true, force: true })
  }
}
