import { createRequire } from 'node:module'
import { addonCandidates } from './addon-candidates.js'
import type { Binding } from './binding.js'
import { BindingLoader, type LoadAttempt, type LoadOptions } from './binding-loader.js'
import { PortableBinding } from './portable/portable-binding.js'

const require = createRequire(import.meta.url)
const loader = new BindingLoader(() => addonCandidates(process.env, require))

/**
 * The native core or its portable twin, loaded at the first call; the same object each time. Order: `KVBM_NATIVE_PATH`,
 * `native/build/Release` in the repository, the package of this platform, the twin.
 * Throws `NativeUnavailableError` where it is required and cannot be had, `NativeMismatchError` for a library of another version.
 */
export function loadBinding(options: LoadOptions = {}): Binding {
  return loader.load(options)
}

/** A portable twin of its own: its regions and engines are not those of `loadBinding`. */
export function createPortableBinding(): Binding {
  return new PortableBinding()
}

/** Where the native core was looked for when it was last looked for, and why it was not taken; empty if it was at once. */
export function nativeBuildReport(): readonly LoadAttempt[] {
  return loader.attempts
}
