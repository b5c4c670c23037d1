import { createRequire } from 'node:module'
import { type KvbmErrorCode, KvbmError, type Logger, NativeMismatchError, NativeUnavailableError, StorageFullError, StorageIoError } from '@kvbm/core'
import { ABI_VERSION, type Binding } from './binding.js'
import { PortableBinding } from './portable/portable-binding.js'
import { platformPackage } from './platform-package.js'
import { withNodeCrypto } from './with-node-crypto.js'

export type NativeChoice = 'auto' | 'required' | 'portable'

export interface LoadOptions {
  /** `auto`: the native core, else its portable twin with one warning. `required`: an error instead. `portable`: the twin. */
  readonly native?: NativeChoice
  /** Gets the warning instead of `process.emitWarning`. */
  readonly logger?: Logger
}

/** One place where the native core was looked for, and why it was not taken. */
export interface LoadAttempt {
  readonly where: string
  readonly reason: string
}

/** What an addon exports beside the border itself. */
interface Addon extends Binding {
  readonly abiVersion: number
  setErrorFactory(make: (code: string, message: string) => Error): void
}

const require = createRequire(import.meta.url)
const loaded = new Map<NativeChoice, Binding>()
let attempts: readonly LoadAttempt[] = []

/**
 * The native core or its twin; the same object each time. Order: `KVBM_NATIVE_PATH`, `native/build/Release` in the repository, the
 * platform's package, the twin. `KVBM_NATIVE` (auto, required, portable) decides where `native` is not given.
 * Throws `NativeUnavailableError` when required, `NativeMismatchError` for a library of another version.
 */
export function loadBinding(options: LoadOptions = {}): Binding {
  const choice = options.native ?? choiceOf(process.env['KVBM_NATIVE'])
  const known = loaded.get(choice)
  if (known !== undefined) return known
  const binding = choice === 'portable' ? createPortableBinding() : loadOrFallBack(choice, options.logger)
  loaded.set(choice, binding)
  return binding
}

/** A new twin in plain Node. */
export function createPortableBinding(): Binding {
  return new PortableBinding()
}

/** Where the native core was looked for so far, and why it was not taken; empty when it was found at once. */
export function nativeBuildReport(): readonly LoadAttempt[] {
  return attempts
}

function choiceOf(text: string | undefined): NativeChoice {
  if (text === undefined || text === '') return 'auto'
  if (text === 'auto' || text === 'required' || text === 'portable') return text
  throw new RangeError(`KVBM_NATIVE: expected auto, required or portable, got '${text}'`)
}

function loadOrFallBack(choice: NativeChoice, logger: Logger | undefined): Binding {
  const failed: LoadAttempt[] = []
  const addon = tryAll(failed)
  attempts = failed
  if (addon !== undefined) return addon
  if (choice === 'required') throw new NativeUnavailableError(`The native core is required and was not found.\n${explain(failed)}`)
  warn(`The portable core is in use: slower, never wrong.\n${explain(failed)}`, logger)
  return loadBinding({ native: 'portable' })
}

function tryAll(failed: LoadAttempt[]): Binding | undefined {
  for (const { where, load } of candidates()) {
    try {
      return accept(load() as Addon, where)
    } catch (error) {
      if (KvbmError.is(error, 'KVBM_NATIVE_MISMATCH')) throw error
      failed.push({ where, reason: error instanceof Error ? error.message.split('\n')[0]! : String(error) })
    }
  }
  return undefined
}

function* candidates(): Generator<{ where: string; load: () => unknown }, void, void> {
  const path = process.env['KVBM_NATIVE_PATH']
  if (path !== undefined && path !== '') yield { where: path, load: () => require(path) }
  yield { where: 'native/build/Release/kvbm.node', load: () => require('../build/Release/kvbm.node') }
  yield platformPackage(require)
}

function accept(addon: Addon, where: string): Binding {
  if (addon.abiVersion !== ABI_VERSION) throw new NativeMismatchError(ABI_VERSION, addon.abiVersion, where)
  addon.setErrorFactory(makeError)
  return addon.describe().sha256 === 'node-crypto' ? withNodeCrypto(addon) : addon
}

/** The native core throws our own classes. */
function makeError(code: string, message: string): Error {
  if (code === 'KVBM_STORAGE_FULL') return new StorageFullError(message)
  if (code === 'KVBM_STORAGE_IO') return new StorageIoError(message)
  if (code === 'KVBM_CANCELLED') return Object.assign(new Error(message), { code })
  return new KvbmError(code as KvbmErrorCode, message)
}

function explain(failed: readonly LoadAttempt[]): string {
  const tried = failed.map(({ where, reason }) => `  ${where}: ${reason}`)
  return [...tried, 'Remedy: install a C++20 compiler and CMake ≥ 3.22 and build it, or set KVBM_NATIVE=portable to choose the portable core without this warning.'].join('\n')
}

function warn(message: string, logger: Logger | undefined): void {
  if (logger === undefined) process.emitWarning(message, { code: 'KVBM_PORTABLE' })
  else logger.warn(message)
}
