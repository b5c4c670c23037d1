import { KvbmError, type Logger, NativeUnavailableError } from '@kvbm/core'
import { acceptAddon } from './accept-addon.js'
import type { AddonCandidate } from './addon-candidate.js'
import type { Binding } from './binding.js'
import { type NativeChoice, nativeChoice } from './native-choice.js'
import { PortableBinding } from './portable/portable-binding.js'

/** Which binding is wanted, and who is warned. */
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
  compile it with \`npx kvbm build\`, in a clone with \`pnpm --filter @kvbm/native build\`, which wants a C++20 compiler and
  CMake 3.22 or newer;
  or set KVBM_NATIVE=portable to choose the portable core and silence this.`

/** Finds a binding once for each choice, and remembers what was in the way. */
export class BindingLoader {
  readonly #candidates: () => readonly AddonCandidate[]
  readonly #loaded = new Map<NativeChoice, Binding>()
  #attempts: readonly LoadAttempt[] = []

  constructor(candidates: () => readonly AddonCandidate[]) {
    this.#candidates = candidates
  }

  get attempts(): readonly LoadAttempt[] {
    return this.#attempts
  }

  load({ native, logger }: LoadOptions): Binding {
    const choice = native ?? nativeChoice(process.env.KVBM_NATIVE)
    const binding = this.#loaded.get(choice) ?? this.#find(choice, logger)
    this.#loaded.set(choice, binding)
    return binding
  }

  #find(choice: NativeChoice, logger: Logger | undefined): Binding {
    if (choice === 'portable') return new PortableBinding()
    const addon = this.#findAddon()
    if (addon !== undefined) return addon
    if (choice === 'required') {
      throw new NativeUnavailableError(`The native core is required and cannot be had.\n${this.#report()}`)
    }
    warn(`The portable core is in use: slower, never wrong.\n${this.#report()}`, logger)
    return this.load({ native: 'portable' })
  }

  #findAddon(): Binding | undefined {
    const failed: LoadAttempt[] = []
    this.#attempts = failed
    for (const { where, load } of this.#candidates()) {
      try {
        return acceptAddon(load(), where)
      } catch (error) {
        if (KvbmError.is(error, 'KVBM_NATIVE_MISMATCH')) throw error
        failed.push({ where, reason: reasonOf(error) })
      }
    }
    return undefined
  }

  #report(): string {
    return [...this.#attempts.map(({ where, reason }) => `  ${where}: ${reason}`), REMEDIES].join('\n')
  }
}

function reasonOf(error: unknown): string {
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'MODULE_NOT_FOUND') return 'not there'
  return error instanceof Error ? error.message.split('\n', 1).join() : String(error)
}

function warn(message: string, logger: Logger | undefined): void {
  if (logger === undefined) process.emitWarning(message, { type: 'KvbmWarning', code: 'KVBM_PORTABLE' })
  else logger.warn(message)
}
