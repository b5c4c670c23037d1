import assert from 'node:assert/strict'
import { ABI_VERSION } from '../../binding.js'
import type { CaseTable } from '../conformance-case.js'
import { assertRangeError, assertSameBytes, assertThrowsRangeError, hasCode, pattern } from '../conformance-world.js'

const BROKEN_SIZES = [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]

export const memoryCases: CaseTable = {
  'describes itself in plain JSON, with the ABI of this package': ({ binding }) => {
    const description = binding.describe()
    assert.deepEqual(JSON.parse(JSON.stringify(description)), description)
    assert.equal(description.abi, ABI_VERSION)
    assert.ok(['native', 'portable'].includes(description.kind))
    assert.notEqual(description.sha256, '')
    assert.notEqual(description.crc32c, '')
  },

  'fresh memory is zero and has the size that was asked for': async (world) => {
    const region = world.binding.createMemory(12_345)
    assert.equal(region.sizeBytes, 12_345)
    assertSameBytes(await world.read(region.id, 0, 12_345), new Uint8Array(12_345))
    world.binding.closeRegion(region.id)
  },

  'memory of a broken size is a RangeError': ({ binding }) => {
    for (const size of BROKEN_SIZES) assertThrowsRangeError(() => binding.createMemory(size))
  },

  'memory that the system cannot give is KVBM_STORAGE_FULL': ({ binding }) => {
    assert.throws(() => binding.createMemory(2 ** 50), hasCode('KVBM_STORAGE_FULL'))
  },

  'numbers of regions are never reused': (world) => {
    const seen = new Set<number>()
    for (let round = 0; round < 20; round++) {
      const id = world.memory(4096)
      assert.ok(!seen.has(id), `region ${id} again`)
      seen.add(id)
      world.binding.closeRegion(id)
    }
  },

  'commit keeps bytes, says how the memory is held, and why not better': async (world) => {
    const region = world.memory(3 * 4096)
    await world.write(region, 4000, pattern(200))
    for (const lock of [false, true]) {
      const { locked, hugePages, note } = world.binding.commitMemory(region, 0, 3 * 4096, lock)
      assert.ok(['cuda', 'os', 'touched'].includes(locked), locked)
      assert.equal(typeof hugePages, 'boolean')
      if (lock && locked === 'touched') assert.notEqual(note, '')
    }
    assertSameBytes(await world.read(region, 4000, 200), pattern(200))
  },

  'commit may be asked for parts, again, and for nothing': (world) => {
    const region = world.memory(10_000)
    world.binding.commitMemory(region, 5000, 5000, true)
    world.binding.commitMemory(region, 0, 10_000, true)
    world.binding.commitMemory(region, 10_000, 0, true)
  },

  'commit outside of the memory is a RangeError': (world) => {
    const region = world.memory(4096)
    for (const [offset, length] of [
      [0, 4097],
      [4096, 1],
      [-1, 1],
      [0, -1],
      [0.5, 1],
      [Number.NaN, 1],
    ] as const) {
      assertThrowsRangeError(() => world.binding.commitMemory(region, offset, length, false))
    }
  },

  'the alignment offset is below the alignment, and a broken alignment a RangeError': (world) => {
    const region = world.memory(2 ** 20)
    for (const alignment of [1, 64, 4096, 65_536]) {
      const offset = world.binding.alignmentOffset(region, alignment)
      assert.ok(Number.isInteger(offset) && offset >= 0 && offset < alignment, `${offset} for ${alignment}`)
    }
    for (const alignment of BROKEN_SIZES) assertThrowsRangeError(() => world.binding.alignmentOffset(region, alignment))
  },

  'adopted memory is copied from and to in place': async (world) => {
    const whole = new Uint8Array(1000)
    const region = world.adopt(whole.subarray(100, 400))
    await world.write(region, 10, pattern(50))
    assertSameBytes(whole.subarray(110, 160), pattern(50))
    whole.set(pattern(20, 2), 380)
    assertSameBytes(await world.read(region, 280, 20), pattern(20, 2))
  },

  'a copy beyond the end of an adopted part is a RangeError, though its buffer goes on': async (world) => {
    const region = world.adopt(new Uint8Array(1000).subarray(100, 400))
    await assertRangeError(() => world.read(region, 299, 2))
  },

  "adopted memory stays its owner's after closing": (world) => {
    const bytes = pattern(64)
    world.binding.closeRegion(world.adopt(bytes))
    assertSameBytes(bytes, pattern(64))
  },

  'adopted memory has no windows': (world) => {
    const region = world.adopt(new Uint8Array(64))
    assertThrowsRangeError(() => world.binding.windowOf(region, 0))
  },

  'a resizable buffer is refused, because it may move': ({ binding }) => {
    const Resizable = ArrayBuffer as unknown as new (size: number, options: { maxByteLength: number }) => ArrayBuffer
    const bytes = new Uint8Array(new Resizable(64, { maxByteLength: 128 }))
    assert.throws(() => binding.adoptMemory(bytes), TypeError)
  },

  'adopted memory that was transferred away is a RangeError, never a stray write': async (world) => {
    const bytes = new Uint8Array(4096)
    const region = world.adopt(bytes)
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
    await assertRangeError(() => world.write(region, 0, pattern(16)))
  },
}
