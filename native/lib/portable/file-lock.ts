import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync } from 'node:fs'
import { StorageIoError } from '@kvbm/core'
import type { LockHandle } from '../binding.js'
import { ioError } from './node-file.js'

const OPEN = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0)
/** Windows: nobody else may open the file (libuv's UV_FS_O_EXLOCK). */
const EXCLUSIVE_WINDOWS = 0x10000000
/** macOS: O_EXLOCK, which takes the same lock as flock. */
const EXCLUSIVE_MACOS = 0x20
const HELD = new Set(['EAGAIN', 'EWOULDBLOCK', 'EBUSY'])

/** Exclusive lock on a file, freed by the system when the process ends in any way. Undefined when another holds it. */
export async function lockFile(path: string): Promise<LockHandle | undefined> {
  switch (process.platform) {
    case 'linux':
      return lockWithFlock(path)
    case 'darwin':
      return lockByOpening(path, OPEN | constants.O_NONBLOCK | EXCLUSIVE_MACOS)
    case 'win32':
      return lockByOpening(path, OPEN | EXCLUSIVE_WINDOWS)
    default:
      throw new StorageIoError(
        `Locking ${path}: Node.js alone has no way to lock a file on ${process.platform}. Build the native core, or leave the disk tier out.`,
      )
  }
}

/** The lock belongs to the open file, which the command inherits; it stays when the command ends, until we close the file. */
async function lockWithFlock(path: string): Promise<LockHandle | undefined> {
  const descriptor = open(path, OPEN)
  let status: number | undefined
  try {
    status = await runFlock(path, descriptor)
  } finally {
    if (status !== 0) closeSync(descriptor)
  }
  return status === 0 ? handleOf(descriptor) : undefined
}

/** 0: the lock is ours; 1: another has it. */
async function runFlock(path: string, descriptor: number): Promise<0 | 1> {
  const child = spawn('flock', ['-n', '-x', '3'], { stdio: ['ignore', 'ignore', 'ignore', descriptor] })
  const [status] = await once(child, 'exit').catch((cause: unknown) => {
    throw new StorageIoError(
      `Locking ${path}: the command flock cannot be run. Install util-linux, or build the native core.`,
      { cause },
    )
  })
  if (status === 0 || status === 1) return status
  throw new StorageIoError(
    `Locking ${path}: the command flock ended with ${status}. The file system may know no locks.`,
  )
}

function lockByOpening(path: string, flags: number): LockHandle | undefined {
  try {
    return handleOf(open(path, flags))
  } catch (error) {
    const code = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code
    if (HELD.has(code ?? '')) return undefined
    throw error
  }
}

/** The descriptor is close-on-exec, as all of Node's are. */
function open(path: string, flags: number): number {
  try {
    return openSync(path, flags, 0o600)
  } catch (error) {
    throw ioError(`Locking ${path}`, error)
  }
}

/** Closing twice would close somebody else's file. */
function handleOf(descriptor: number): LockHandle {
  let held = true
  return {
    release(): void {
      if (held) closeSync(descriptor)
      held = false
    },
  }
}
