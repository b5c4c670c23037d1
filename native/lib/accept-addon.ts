import { getSystemErrorName } from 'node:util'
import { KvbmError, type KvbmErrorCode, NativeMismatchError, StorageFullError, StorageIoError } from '@kvbm/core'
import { ABI_VERSION, type Binding } from './binding.js'
import { withNodeCrypto } from './with-node-crypto.js'

/** What a native library exports beside the border itself. */
interface Addon extends Binding {
  readonly abiVersion: number
  /** What its failures are made of; `errno` is 0 where no system call failed. */
  setErrorFactory(make: (code: string, message: string, errno: number) => Error): void
}

/** Makes a loaded library usable. Throws `NativeMismatchError` for one of another version. */
export function acceptAddon(exported: unknown, where: string): Binding {
  const addon = exported as Addon
  if (typeof addon?.abiVersion !== 'number') throw new Error('it is no native core of this package')
  if (addon.abiVersion !== ABI_VERSION) throw new NativeMismatchError(ABI_VERSION, addon.abiVersion, where)
  addon.setErrorFactory(makeError)
  return addon.describe().sha256 === 'node-crypto' ? withNodeCrypto(addon) : addon
}

/** Errors of the native core are of our own classes, so that `instanceof` and `code` hold. */
function makeError(code: string, message: string, errno: number): Error {
  const options = errno > 0 ? { cause: systemError(errno) } : undefined
  switch (code) {
    case 'KVBM_STORAGE_FULL':
      return new StorageFullError(message, options)
    case 'KVBM_STORAGE_IO':
      return new StorageIoError(message, options)
    case 'KVBM_CANCELLED':
      return Object.assign(new Error(message), { code })
    default:
      return new KvbmError(code as KvbmErrorCode, message, options)
  }
}

/** Looks like the errors of node:fs: `code` is the name, `errno` is negative. */
function systemError(errno: number): Error {
  return Object.assign(new Error(nameOf(errno)), { code: nameOf(errno), errno: -errno })
}

function nameOf(errno: number): string {
  try {
    return getSystemErrorName(-errno)
  } catch {
    return `errno ${errno}`
  }
}
