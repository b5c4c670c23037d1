import assert from 'node:assert/strict'
import type { Binding, SlotRows } from '../../binding.js'
import type { CaseTable } from '../conformance-case.js'
import { assertRangeError, assertSameBytes, pattern } from '../conformance-world.js'

const RECORD_BYTES = 64
const RECORD_BITS = 8 * RECORD_BYTES

export const slotCases: CaseTable = {
  'records come back as they were written, ascending by generation': async (world) => {
    const file = await world.file()
    await world.binding.writeSlots(file, 4096, rowsOf([7, 3, 4], [10, 30, 20]))
    const found = await world.binding.readSlots(file, 4096, 10)
    const { count, damaged, ...rows } = found
    assert.deepEqual([count, damaged], [3, 0])
    assert.deepEqual(rows, rowsOf([7, 4, 3], [10, 20, 30]))
  },

  'a record has exactly the documented bytes': async (world) => {
    const file = await world.file()
    await world.binding.writeSlots(file, 0, rowsOf([1], [2 ** 53 - 1]))
    assertSameBytes(await world.binding.readFile(file, 64, 64), documentedRecord(world.binding))
  },

  'an empty file, and a table that ends early, have no further records': async (world) => {
    const file = await world.file()
    assert.equal((await world.binding.readSlots(file, 0, 100)).count, 0)
    await world.binding.writeSlots(file, 0, rowsOf([0, 5], [1, 2]))
    assert.deepEqual([...(await world.binding.readSlots(file, 0, 1000)).slots], [0, 5])
    assert.deepEqual([...(await world.binding.readSlots(file, 0, 5)).slots], [0])
    assert.equal((await world.binding.readSlots(file, 0, 0)).count, 0)
  },

  'cleared records are free, their neighbours stay': async (world) => {
    const file = await world.file()
    await world.binding.writeSlots(file, 0, rowsOf([0, 1, 2, 3, 9], [1, 2, 3, 4, 5]))
    await world.binding.clearSlots(file, 0, Uint32Array.of(1, 2, 9))
    const { slots, damaged } = await world.binding.readSlots(file, 0, 10)
    assert.deepEqual([[...slots], damaged], [[0, 3], 0])
  },

  'a record written again counts once, with its last content': async (world) => {
    const file = await world.file()
    await world.binding.writeSlots(file, 0, rowsOf([2], [1]))
    await world.binding.writeSlots(file, 0, rowsOf([2], [8]))
    assert.deepEqual([...(await world.binding.readSlots(file, 0, 4)).generations], [8])
  },

  'any flipped bit makes a record damaged, never another one': async (world) => {
    const file = await world.file()
    const slots = Array.from({ length: RECORD_BITS }, (_, bit) => bit)
    await world.binding.writeSlots(
      file,
      0,
      rowsOf(
        slots,
        slots.map((bit) => bit + 1),
      ),
    )
    const table = await world.binding.readFile(file, 0, RECORD_BITS * RECORD_BYTES)
    for (const bit of slots) table[bit * RECORD_BYTES + (bit >> 3)]! ^= 1 << (bit & 7)
    await world.binding.writeFile(file, 0, table)
    const { count, damaged } = await world.binding.readSlots(file, 0, RECORD_BITS)
    assert.deepEqual([count, damaged], [0, RECORD_BITS])
  },

  'a record torn at any byte is damaged, the old one or the new one': async (world) => {
    const file = await world.file()
    await world.binding.writeSlots(file, 0, rowsOf([0, 1], [1, 2]))
    const [before, after] = [await world.binding.readFile(file, 0, 64), await world.binding.readFile(file, 64, 64)]
    const table = new Uint8Array(65 * RECORD_BYTES)
    for (let cut = 0; cut <= 64; cut++) {
      table.set(after.subarray(0, cut), cut * RECORD_BYTES)
      table.set(before.subarray(cut), cut * RECORD_BYTES + cut)
    }
    await world.binding.writeFile(file, 0, table)
    const { generations, damaged, count } = await world.binding.readSlots(file, 0, 65)
    assert.ok([...generations].every((generation) => generation === 1 || generation === 2))
    assert.ok(damaged >= 40 && damaged + count === 65, `${damaged} damaged, ${count} whole`)
  },

  'a record whose beginning or end is zero is damaged, not free': async (world) => {
    const file = await world.file()
    await world.binding.writeSlots(file, 0, rowsOf([0, 1, 2], [1, 2, 3]))
    await world.binding.writeFile(file, 0, new Uint8Array(4))
    await world.binding.writeFile(file, 64 + 32, new Uint8Array(32))
    const { slots, damaged } = await world.binding.readSlots(file, 0, 3)
    assert.deepEqual([[...slots], damaged], [[2], 2])
  },

  'rubbish is damaged, not free': async (world) => {
    const file = await world.file(pattern(640))
    const { count, damaged } = await world.binding.readSlots(file, 0, 10)
    assert.deepEqual([count, damaged], [0, 10])
  },

  'a table of many scattered records is read whole': async (world) => {
    const file = await world.file()
    const slots = Array.from({ length: 20_000 }, (_, index) => (index * 7919) % 100_003)
    await world.binding.writeSlots(
      file,
      128,
      rowsOf(
        slots.toSorted((a, b) => a - b),
        slots.map((_, index) => index),
      ),
    )
    const { count, generations } = await world.binding.readSlots(file, 128, 100_003)
    assert.equal(count, 20_000)
    assert.ok(generations.every((generation, index) => generation === index))
  },

  'columns that are not parallel, and generations that are no integers, are a RangeError': async (world) => {
    const file = await world.file()
    const good = rowsOf([1, 2], [1, 2])
    for (const name of ['generations', 'hashes', 'parents', 'positions', 'lengths', 'checksums'] as const) {
      await assertRangeError(() => world.binding.writeSlots(file, 0, { ...good, [name]: good[name].subarray(1) }))
    }
    for (const generation of [-1, 0.5, Number.NaN]) {
      await assertRangeError(() =>
        world.binding.writeSlots(file, 0, { ...good, generations: Float64Array.of(1, generation) }),
      )
    }
    assert.equal((await world.binding.readFile(file, 0, 1000)).length, 0)
  },

  'slots of memory, or of an unknown file, are a RangeError': async (world) => {
    for (const region of [world.memory(4096), 1_000_000]) {
      await assertRangeError(() => world.binding.readSlots(region, 0, 1))
      await assertRangeError(() =>
        world.binding.recoverSlots(region, 0, 1, { numSlots: 1, storedSlots: 1, slotBytes: 1 }),
      )
      await assertRangeError(() => world.binding.writeSlots(region, 0, rowsOf([0], [1])))
      await assertRangeError(() => world.binding.clearSlots(region, 0, Uint32Array.of(0)))
    }
  },
}

/** All other columns follow from the generation. */
function rowsOf(slots: readonly number[], generations: readonly number[]): SlotRows {
  const columns = (factor: number): Uint32Array =>
    Uint32Array.from(generations, (generation) => (generation % 2 ** 21) * factor)
  const hashes = (factor: number): Uint32Array =>
    Uint32Array.from(
      generations.flatMap((generation) => [0, 1, 2, 3].map((word) => (generation % 2 ** 21) * factor + word)),
    )
  return {
    slots: Uint32Array.from(slots),
    generations: Float64Array.from(generations),
    hashes: hashes(3),
    parents: hashes(5),
    positions: columns(7),
    lengths: columns(11),
    checksums: columns(13),
  }
}

/** The record of generation 2⁵³−1 as docs/durability.md gives it. */
function documentedRecord(binding: Binding): Uint8Array {
  const record = new DataView(new ArrayBuffer(RECORD_BYTES))
  const { lengths, hashes, parents, positions, checksums } = rowsOf([1], [2 ** 53 - 1])
  new Uint8Array(record.buffer).set(new TextEncoder().encode('KVS1'))
  record.setUint32(4, lengths[0]!, true)
  record.setBigUint64(8, 2n ** 53n - 1n, true)
  for (let word = 0; word < 4; word++) {
    record.setUint32(16 + 4 * word, hashes[word]!, true)
    record.setUint32(32 + 4 * word, parents[word]!, true)
  }
  record.setUint32(48, positions[0]!, true)
  record.setUint32(52, checksums[0]!, true)
  record.setUint32(60, binding.crc32c(new Uint8Array(record.buffer, 0, 60)), true)
  return new Uint8Array(record.buffer)
}
