import { describe, test } from 'vitest'
import { type Binding, createPortableBinding, loadBinding } from '../../lib/index.js'

/** Runs the tests on the portable twin always, and on the native core where there is one; else a skip says why not. */
export function onEachBinding(define: (make: () => Binding, name: 'portable' | 'native') => void): void {
  describe('portable twin', () => define(createPortableBinding, 'portable'))
  onNative((native) => define(() => native, 'native'))
}

/** Runs the tests where there is a native core; else a skip says why not. */
export function onNative(define: (native: Binding) => void): void {
  const native = nativeOrReason()
  if (typeof native === 'string') {
    console.warn(`skipped for the native core: ${native}`)
    test.skip(`native core (skipped: ${native})`, () => {})
  } else {
    describe('native core', () => define(native))
  }
}

function nativeOrReason(): Binding | string {
  if (process.env.KVBM_NATIVE === 'portable') return 'KVBM_NATIVE=portable forbids it'
  try {
    return loadBinding({ native: 'required' })
  } catch (error) {
    return (error as Error).message.split('\n').slice(0, 3).join(' ')
  }
}
