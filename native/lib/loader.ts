import { createRequire } from 'node:module'
import { invalidArgument, KvbmError, type Logger, NativeUnavailableError } from '@kvbm/core'
import { acceptAddon } from './accept-addon.js'
import { addonCandidates } from './addon-candidates.js'
import type { Binding } from './binding.js'
import { PortableBinding } from './portable/portable-binding.js'

export type NativeChoice = 'auto' | 'required' | 'portable'

export interface LoadOptions {
  /**
   * `auto`: the native core, else its portable twin with one warning. `required`: an error instead of the twin. `portable`: the
   * twin. Default: the environment variable `KVBM_NATIVE`, else `auto`.
   */
  readonly native?: NativeChoice
  /** Gets the warning instead of `process.emitWarning`. */
  readonly logger?: Logger
}

/** One place where the native core was looked for, and why it was not taken. */
export interface LoadAttempt {
  readonly where: string
  readonly reason: string
}

const REMEDIES = `Remedies: install the package of your platform (npm installs it unless told --omit=optional);
  in a clone, build it with \`pnpm --filter @kvbm/native build\`, which wants a C++20 compiler and CMake 3.22 or newer;
  or set KVBM_NATIVE=portable to choose the portable core and silence this.`

const require = createRequire(import.meta.url)
const loaded = new Map<NativeChoice, Binding>()
let attempts: readonly LoadAttempt[] = []

/**
 * The native core or its portable twin, loaded at the first call; the same object each time. Order: `KVBM_NATIVE_PATH`,
 * `native/build/Release` in the repository, the package of this platform, the twin.
 * Throws `NativeUnavailableError` where it is required and cannot be had, `NativeMismatchError` for a library of another version.
 */
export function loadBinding(options: LoadOptions = {}): Binding {
  const choice = options.native ?? choiceOf(process.env.KVBM_NATIVE)
  const binding = loaded.get(choice) ?? load(choice, options.logger)
  loaded.set(choice, binding)
  return binding
}

/** A portable twin of its own: its regions and engines are not those of `loadBinding`. */
export function createPortableBinding(): Binding {
  return new PortableBinding()
}

/** Where the native core was looked for when it was last looked for, and why it was not taken; empty if it was at once. */
export function nativeBuildReport(): readonly LoadAttempt[] {
  return attempts
}

function choiceOf(text: string | undefined): NativeChoice {
  if (!text) return 'auto'
  if (text === 'auto' || text === 'required' || text === 'portable') return text
  throw invalidArgument('KVBM_NATIVE', 'auto, required or portable', text)
}

function load(choice: NativeChoice, logger: Logger | undefined): Binding {
  if (choice === 'portable') return createPortableBinding()
  const addon = findAddon()
  if (addon !== undefined) return addon
  if (choice === 'required')
    throw new NativeUnavailableError(`The native core is required and cannot be had.\n${report()}`)
  warn(`The portable core is in use: slower, never wrong.\n${report()}`, logger)
  return loadBinding({ native: 'portable' })
}

function findAddon(): Binding | undefined {
  const failed: LoadAttempt[] = []
  attempts = failed
  for (const { where, load } of addonCandidates(process.env, require)) {
    try {
      return acceptAddon(load(), where)
    } catch (error) {
      if (KvbmError.is(error, 'KVBM_NATIVE_MISMATCH')) throw error
      failed.push({ where, reason: reasonOf(error) })
    }
  }
  return undefined
}

function reasonOf(error: unknown): string {
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'MODULE_NOT_FOUND') return 'not there'
  return error instanceof Error ? error.message.split('\n', 1).join() : String(error)
}

function report(): string {
  return [...attempts.map(({ where, reason }) => `  ${where}: ${reason}`), REMEDIES].join('\n')
}

function warn(message: string, logger: Logger | undefined): void {
  if (logger === undefined) process.emitWarning(message, { type: 'KvbmWarning', code: 'KVBM_PORTABLE' })
  else logger.warn(message)
}
