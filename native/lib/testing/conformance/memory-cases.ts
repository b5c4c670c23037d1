import assert from 'node:assert/strict'
import { truncate } from 'node:fs/promises'
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
      const { locked, hugePages, hugeBytes = 0, note } = await world.binding.commitMemory(region, 0, 3 * 4096, lock)
      assert.ok(['cuda', 'os', 'touched'].includes(locked), locked)
      assert.equal(typeof hugePages, 'boolean')
      assert.ok(hugeBytes >= 0 && hugeBytes <= 3 * 4096, `${hugeBytes} on huge pages`)
      if (lock && locked === 'touched') assert.notEqual(note, '')
    }
    assertSameBytes(await world.read(region, 4000, 200), pattern(200))
  },

  'commit may be asked for parts, again, and for nothing': async (world) => {
    const region = world.memory(10_000)
    await world.binding.commitMemory(region, 5000, 5000, true)
    await world.binding.commitMemory(region, 0, 10_000, true)
    await world.binding.commitMemory(region, 10_000, 0, true)
  },

  'commit outside of the memory is a RangeError': async (world) => {
    const region = world.memory(4096)
    for (const [offset, length] of [
      [0, 4097],
      [4096, 1],
      [-1, 1],
      [0, -1],
      [0.5, 1],
      [Number.NaN, 1],
    ] as const) {
      await assertRangeError(() => world.binding.commitMemory(region, offset, length, false))
    }
  },

  'commit goes on while jobs write there, and takes nothing away from them': async (world) => {
    const [size, bytes] = [8 * 2 ** 20, pattern(2 ** 20)]
    const region = world.memory(size)
    const committing = world.binding.commitMemory(region, 0, size, false)
    for (let at = 0; at < size; at += bytes.length) await world.write(region, at, bytes)
    await committing
    for (let at = 0; at < size; at += bytes.length) assertSameBytes(await world.read(region, at, bytes.length), bytes)
  },

  'adopted memory is not committed: it is its owner who makes it real': async (world) => {
    const region = world.adopt(new Uint8Array(4096))
    await assertRangeError(() => world.binding.commitMemory(region, 0, 4096, false))
  },

  'a mapped file and its memory are the same bytes': async (world) => {
    const file = await world.file(pattern(3 * 4096))
    const mapped = await world.binding.mapFile(file, 2 * 4096)
    // Not everywhere: then there is no memory, and the file is as before.
    const region = mapped?.id ?? file
    assertSameBytes(await world.read(region, 4000, 200), pattern(3 * 4096).subarray(4000, 4200))
    await world.write(region, 5000, pattern(100, 2))
    assertSameBytes(await world.binding.readFile(file, 5000, 100), pattern(100, 2))
    if (mapped !== undefined) world.binding.closeRegion(mapped.id)
    assertSameBytes(await world.binding.readFile(file, 5000, 100), pattern(100, 2))
  },

  'a job over mapped bytes that were cut off, or never were, is a RangeError': async (world) => {
    const path = world.path()
    const file = (await world.binding.openFile({ path, write: true, create: true, direct: false })).id
    const mapped = await world.binding.mapFile(file, 4 * 4096)
    if (mapped === undefined) return
    await world.write(mapped.id, 3 * 4096, pattern(4096))
    await assertRangeError(() => world.read(mapped.id, 3 * 4096, 4097))
    await truncate(path, 4096)
    await assertRangeError(() => world.read(mapped.id, 3 * 4096, 1))
    assertSameBytes(await world.read(mapped.id, 0, 4096), new Uint8Array(4096))
    world.binding.closeRegion(mapped.id)
    world.binding.closeRegion(file)
  },

  'a mapped file has no windows and is not committed': async (world) => {
    const mapped = await world.binding.mapFile(await world.file(pattern(4096)), 4096)
    if (mapped === undefined) return
    assertThrowsRangeError(() => world.binding.windowOf(mapped.id, 0))
    await assertRangeError(() => world.binding.commitMemory(mapped.id, 0, 4096, false))
    world.binding.closeRegion(mapped.id)
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
