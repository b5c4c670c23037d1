import { type Binding, createPortableBinding, loadBinding } from '@kvbm/native'
import { describe, test } from 'vitest'
import { createTransferRuntime, type NativeTransferRuntime } from '../../src/index.js'

/** Runs the tests on the portable twin always, and on the addon where it is built; else a skip says why. */
export function onEachBinding(define: (make: () => Binding, name: 'portable' | 'native') => void): void {
  describe('portable twin', () => define(createPortableBinding, 'portable'))
  const native = nativeOrReason()
  if (typeof native === 'string') test.skip(`addon: ${native}`)
  else describe('addon', () => define(() => native, 'native'))
}

function nativeOrReason(): Binding | string {
  if (process.env.KVBM_NATIVE === 'portable') return 'KVBM_NATIVE=portable forbids it'
  try {
    return loadBinding({ native: 'required' })
  } catch (error) {
    return `not built here (${(error as Error).message.split('\n')[0]})`
  }
}

/** A runtime that closes at the end of the scope. */
export function useRuntime(binding: Binding): NativeTransferRuntime {
  return createTransferRuntime({ binding, threads: 2 })
}
