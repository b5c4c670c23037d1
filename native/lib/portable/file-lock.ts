import { spawnSync } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { StorageIoError } from '@kvbm/core'
import type { LockHandle } from '../binding.js'

/** Windows: no sharing (libuv's UV_FS_O_EXLOCK). macOS: O_EXLOCK. Neither is in `constants` everywhere. */
const UV_FS_O_EXLOCK = 0x10000000
const O_EXLOCK_MACOS = 0x20

/**
 * Exclusive lock on a file, freed by the system when the process ends in any way. Linux: `flock` locks the open file behind an
 * inherited descriptor, and the lock stays when the helper ends. Undefined when another holds it.
 */
export function lockFile(path: string): LockHandle | undefined {
  switch (process.platform) {
    case 'linux':
      return lockWithFlock(path)
    case 'darwin':
      return lockByOpening(path, constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK | O_EXLOCK_MACOS)
    case 'win32':
      return lockByOpening(path, constants.O_RDWR | constants.O_CREAT | UV_FS_O_EXLOCK)
    default:
      throw new StorageIoError(`There is no way to lock ${path} on ${process.platform} without the native core. Build it (kvbm build), or leave the disk tier out.`)
  }
}

function lockWithFlock(path: string): LockHandle | undefined {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
  const { status, error } = spawnSync('flock', ['-n', '-x', '3'], { stdio: ['ignore', 'ignore', 'ignore', descriptor] })
  if (status === 0) return { release: () => closeSync(descriptor) }
  closeSync(descriptor)
  if (error === undefined && status === 1) return undefined
  throw new StorageIoError(`The lock on ${path} could not be asked for: the command 'flock' ${error === undefined ? `ended with ${status}` : 'is missing'}. Install util-linux, or build the native core.`)
}

function lockByOpening(path: string, flags: number): LockHandle | undefined {
  try {
    const descriptor = openSync(path, flags, 0o600)
    return { release: () => closeSync(descriptor) }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EAGAIN' || code === 'EWOULDBLOCK' || code === 'EBUSY' || code === 'EPERM' || code === 'EACCES') return undefined
    throw error
  }
}
