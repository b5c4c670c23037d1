import type { Stats } from 'node:fs'
import { lstat, mkdir, readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { DirectoryForeignError, StorageFullError, StorageIoError } from '@kvbm/core'

const PRIVATE_DIRECTORY_MODE = 0o700
const WRITABLE_BY_OTHERS = 0o022

/**
 * Creates the directory (mode 0700) or checks that it is really ours: a directory, not a symbolic link, our user's, and
 * writable by nobody else. After that nobody else can exchange the files in it, so checking each of them once is enough.
 */
export async function claimDirectory(path: string): Promise<string> {
  // Resolving drops a trailing slash, which would make lstat follow a link.
  const directory = resolve(path)
  await explained(directory, () => mkdir(directory, { recursive: true, mode: PRIVATE_DIRECTORY_MODE }))
  const stats = await explained(directory, () => lstat(directory))
  refuseForeign(directory, directory, stats, 'directory')
  return directory
}

/** The same check of a directory that is never made here. False when there is none. */
export async function checkOwnDirectory(directory: string): Promise<boolean> {
  const stats = await explained(directory, () => lstatIfThere(directory))
  if (stats === undefined) return false
  refuseForeign(directory, directory, stats, 'directory')
  return true
}

/** Throws `DirectoryForeignError` if the file exists and is not an ordinary file of ours. True when it exists. */
export async function checkOwnFile(directory: string, path: string): Promise<boolean> {
  const stats = await explained(directory, () => lstatIfThere(path))
  if (stats === undefined) return false
  refuseForeign(directory, path, stats, 'file')
  return true
}

/** The text of a small file for people; empty where it cannot be read or is not an ordinary file of ours. */
export async function readOwnText(directory: string, path: string): Promise<string> {
  try {
    return (await checkOwnFile(directory, path)) ? (await readFile(path, 'utf8')).trim() : ''
  } catch {
    return ''
  }
}

/** Whether anything is at a path, whosever it is. */
export async function isThere(path: string): Promise<boolean> {
  return (await lstatIfThere(path)) !== undefined
}

function refuseForeign(directory: string, path: string, stats: Stats, expected: 'directory' | 'file'): void {
  const reason = foreignReason(stats, expected)
  if (reason !== undefined) throw new DirectoryForeignError(directory, `${path === directory ? 'it' : path} ${reason}`)
}

function foreignReason(stats: Stats, expected: 'directory' | 'file'): string | undefined {
  if (stats.isSymbolicLink()) return 'is a symbolic link'
  if (expected === 'directory' ? !stats.isDirectory() : !stats.isFile()) return `is not a ${expected}`
  // What is written to it would appear under the other name, too.
  if (expected === 'file' && stats.nlink > 1) return `has ${stats.nlink} names (hard links)`
  const user = process.getuid?.()
  // Windows has neither owners nor modes in this form; its access lists are the user's business.
  if (user === undefined) return undefined
  if (stats.uid !== user) return `belongs to user ${stats.uid}, this process runs as user ${user}`
  const mode = stats.mode & 0o777
  return mode & WRITABLE_BY_OTHERS
    ? `is writable by others (mode ${mode.toString(8)}; chmod go-w would cure it)`
    : undefined
}

async function lstatIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Failures of the file system become storage errors that name the directory. */
export async function explained<T>(directory: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw explain(directory, error)
  }
}

function explain(directory: string, cause: unknown): unknown {
  const errno = errnoOf(cause)
  if (errno === undefined) return cause
  if (errno === 'EEXIST' || errno === 'ENOTDIR')
    return new DirectoryForeignError(directory, 'its path leads over a file')
  const remedy = 'Check that the path can be written, or choose another.'
  const message = `The cache directory ${directory} cannot be used: ${(cause as Error).message}. ${remedy}`
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return new StorageFullError(message, { cause })
  return new StorageIoError(message, { cause })
}

function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' && !code.startsWith('KVBM_') ? code : undefined
}
