import { describe, expect, expectTypeOf, test } from 'vitest'
import { ABI_VERSION, type Binding, createPortableBinding, type loadBinding } from '../lib/index.js'
import { withFaults } from '../lib/testing/index.js'
import { onNative } from './support/bindings.js'

/** Every function of the border; the type check below makes it complete. */
const FUNCTIONS = {
  describe: true,
  createMemory: true,
  adoptMemory: true,
  commitMemory: true,
  mapFile: true,
  alignmentOffset: true,
  windowOf: true,
  openFile: true,
  reserveFile: true,
  readFile: true,
  writeFile: true,
  syncFile: true,
  closeRegion: true,
  createEngine: true,
  tuneEngine: true,
  submit: true,
  cancel: true,
  closeEngine: true,
  crc32c: true,
  sha256: true,
  hashBlocks: true,
  readSlots: true,
  recoverSlots: true,
  writeSlots: true,
  clearSlots: true,
  lockFile: true,
} satisfies Record<keyof Binding, true>
const NAMES = Object.keys(FUNCTIONS).sort()

describe('the border', () => {
  test('is all that the portable twin has', () => {
    expect(methodsOf(createPortableBinding())).toEqual(NAMES)
  })

  test('is all that a binding with faults has', () => {
    expect(methodsOf(withFaults(createPortableBinding()).binding)).toEqual(NAMES)
  })

  test('is what loading gives', () => {
    expectTypeOf<ReturnType<typeof loadBinding>>().toEqualTypeOf<Binding>()
  })

  onNative((native) => {
    test('and two names for the loader are all that the native core exports', () => {
      expect(Object.getOwnPropertyNames(addonOf(native)).sort()).toEqual(
        [...NAMES, 'abiVersion', 'setErrorFactory'].sort(),
      )
    })

    test('a region of one binding is refused by the other, not taken for another region', () => {
      const twin = createPortableBinding()
      const [ours, theirs] = [native.createMemory(4096), twin.createMemory(4096)]
      expect(() => twin.windowOf(ours.id, 0)).toThrow(RangeError)
      expect(() => native.windowOf(theirs.id, 0)).toThrow(RangeError)
      native.closeRegion(ours.id)
      twin.closeRegion(theirs.id)
    })

    test('has one ABI number', () => {
      expect((addonOf(native) as { abiVersion?: number }).abiVersion).toBe(ABI_VERSION)
      expect(native.describe()).toMatchObject({ kind: 'native', abi: ABI_VERSION })
    })
  })
})

function methodsOf(binding: Binding): string[] {
  return Object.getOwnPropertyNames(Object.getPrototypeOf(binding))
    .filter((name) => name !== 'constructor')
    .sort()
}

/** The library itself, also where hashing was put before it. */
function addonOf(binding: Binding): Binding {
  return Object.hasOwn(binding, 'createMemory') ? binding : Object.getPrototypeOf(binding)
}
