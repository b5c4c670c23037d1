import assert from 'node:assert/strict'
import { HashIndex, hashIndexEntries } from '@kvbm/core'
import type { Binding, RecoverOptions, SlotRows } from '../../binding.js'
import type { CaseTable } from '../conformance-case.js'
import { type ConformanceWorld, pattern } from '../conformance-world.js'

const SLOT_BYTES = 4096
/** More records than are read at once. */
const MANY = 150_000

export const recoveryCases: CaseTable = {
  'columns are by slot, and slots by age': async (world) => {
    const file = await world.file()
    await write(world.binding, file, [
      { slot: 5, generation: 30, hash: 1 },
      { slot: 0, generation: 40, hash: 2 },
      { slot: 3, generation: 7, hash: 3 },
    ])
    const found = await world.binding.recoverSlots(file, OFFSET, 8, options(6))
    assert.deepEqual([...found.slots], [3, 5, 0])
    assert.deepEqual([...found.live], [1, 0, 0, 1, 0, 1])
    assert.deepEqual(wordsByRow(found.hashes), [[2, 2, 2, 2], FREE, FREE, [3, 3, 3, 3], FREE, [1, 1, 1, 1]])
    assert.deepEqual([...found.parents.subarray(12, 16)], [103, 103, 103, 103])
    assert.deepEqual([...found.positions], [202, 0, 0, 203, 0, 201])
    assert.deepEqual([...found.checksums], [302, 0, 0, 303, 0, 301])
    assert.deepEqual([found.count, found.damaged, found.dropped.length, found.lastGeneration], [3, 0, 0, 40])
  },

  'of several records of one hash the newest counts, whatever the order of their slots': async (world) => {
    const file = await world.file()
    const records = [7, 9, 8].flatMap((generation, slot) => [
      { slot, generation, hash: 1 },
      { slot: slot + 3, generation: generation + 10, hash: slot + 2 },
    ])
    await write(world.binding, file, records)
    const found = await world.binding.recoverSlots(file, OFFSET, 6, options(6))
    assert.deepEqual([...found.slots], [1, 3, 5, 4])
    assert.deepEqual([found.count, [...found.live]], [6, [1, 1, 1, 1, 1, 1]])
    assertFinds(found, [1, 3, 5, 4])
  },

  'of two of the same age the one in the higher slot counts': async (world) => {
    const file = await world.file()
    await write(world.binding, file, [{ slot: 1, generation: 4, hash: 1 }])
    await write(world.binding, file, [{ slot: 2, generation: 4, hash: 1 }])
    assert.deepEqual([...(await world.binding.recoverSlots(file, OFFSET, 4, options(4))).slots], [2])
  },

  'records beyond the tier, beyond the bytes and of another length are dropped, and count for the age': async (
    world,
  ) => {
    const file = await world.file()
    await write(world.binding, file, [
      { slot: 0, generation: 1, hash: 1 },
      { slot: 1, generation: 2, hash: 2, length: SLOT_BYTES - 1 },
      { slot: 4, generation: 3, hash: 3 },
      { slot: 9, generation: 4, hash: 4 },
    ])
    const found = await world.binding.recoverSlots(file, OFFSET, 16, { ...options(6), storedSlots: 4 })
    assert.deepEqual([[...found.slots], [...found.dropped], found.lastGeneration], [[0], [1, 4, 9], 4])
    assertFinds(found, [0])
  },

  'damaged records are counted and free': async (world) => {
    const file = await world.file()
    await write(world.binding, file, [{ slot: 1, generation: 1, hash: 1 }])
    await world.binding.writeFile(file, OFFSET + 2 * 64, pattern(128))
    const found = await world.binding.recoverSlots(file, OFFSET, 6, options(6))
    assert.deepEqual([[...found.slots], found.damaged, found.count], [[1], 2, 1])
  },

  'a generation above 2⁵² is damage: those that follow would be exact in no number': async (world) => {
    const file = await world.file()
    await write(world.binding, file, [{ slot: 0, generation: 1, hash: 1 }])
    const record = await world.binding.readFile(file, OFFSET, 64)
    const view = new DataView(record.buffer, record.byteOffset, 64)
    view.setBigUint64(8, 2n ** 52n + 1n, true)
    view.setUint32(60, world.binding.crc32c(record.subarray(0, 60)), true)
    await world.binding.writeFile(file, OFFSET, record)
    assert.deepEqual((await world.binding.recoverSlots(file, OFFSET, 2, options(2))).damaged, 1)
    assert.deepEqual((await world.binding.readSlots(file, OFFSET, 2)).damaged, 1)
  },

  'an empty file, no slots at all, and a table that ends early give what there is': async (world) => {
    const file = await world.file()
    const empty = await world.binding.recoverSlots(file, OFFSET, 100, options(100))
    assert.deepEqual([empty.count, empty.slots.length, empty.lastGeneration, empty.hashes.length], [0, 0, 0, 400])
    await write(world.binding, file, [{ slot: 2, generation: 5, hash: 9 }])
    assert.deepEqual([...(await world.binding.recoverSlots(file, OFFSET, 100, options(100))).slots], [2])
    const none = await world.binding.recoverSlots(file, OFFSET, 100, options(0))
    assert.deepEqual([[...none.dropped], none.index.length, none.hashes.length], [[2], 2, 0])
  },

  'a table of many parts is read whole, in order of age, and indexed as JavaScript would': async (world) => {
    const file = await world.file()
    const records = Array.from({ length: MANY }, (_, slot) => ({
      slot,
      generation: 1 + ((slot * 7919) % MANY),
      hash: Math.imul(slot + 1, 0x9e3779b1) >>> 0,
    }))
    await write(world.binding, file, records)
    const found = await world.binding.recoverSlots(file, OFFSET, MANY, options(MANY))
    const expected = records.toSorted((a, b) => a.generation - b.generation).map(({ slot }) => slot)
    assert.deepEqual([...found.slots], expected)
    const entries = new Uint32Array(hashIndexEntries(MANY))
    const index = new HashIndex(found.hashes, { entries, size: 0 })
    for (const { slot } of records) index.insert(slot)
    assert.ok(Buffer.from(entries.buffer).equals(bytesOf(found.index)), 'the index differs')
  },

  'a chain that was written head first comes tail first, as young as its youngest block': async (world) => {
    assert.deepEqual(await orderOf(world, [-1, -1, 1, 2]), [0, 3, 2, 1])
  },

  'an order in which no parent stands before a child stays': async (world) => {
    assert.deepEqual(await orderOf(world, [3, 2, -1, -1]), [0, 1, 2, 3])
  },

  'a parent that was written long before comes behind its child, and its own parent behind it': async (world) => {
    assert.deepEqual(await orderOf(world, [-1, 0, -1, 1]), [2, 3, 1, 0])
  },

  'chains scattered over the table come in the order of the contract': async (world) => {
    const parents = Array.from({ length: SCATTERED }, (_, block) => parentOf(block))
    assert.deepEqual(await orderOf(world, parents), expectedOrder(parents))
  },

  'who names a block of another position, itself, or nobody as its parent, moves nobody': async (world) => {
    const file = await world.file()
    await write(world.binding, file, [
      { slot: 0, generation: 1, hash: 1, parent: 2, position: 1 },
      { slot: 1, generation: 2, hash: 2, parent: 1, position: 1 },
      { slot: 2, generation: 3, hash: 3, parent: 3, position: 7 },
      { slot: 3, generation: 4, hash: 4, parent: 9, position: 1 },
      { slot: 4, generation: 5, hash: 5, parent: 3, position: 0 },
      { slot: 5, generation: 6, hash: 6, parent: 3, position: 2 ** 32 - 1 },
    ])
    const { slots } = await world.binding.recoverSlots(file, OFFSET, 6, options(6))
    assert.deepEqual([...slots], [0, 1, 2, 3, 4, 5])
  },

  'an older record of a hash is no parent of anybody': async (world) => {
    const file = await world.file()
    await write(world.binding, file, [
      { slot: 4, generation: 1, hash: 1, parent: 0, position: 0 },
      { slot: 2, generation: 2, hash: 2, parent: 1, position: 1 },
      { slot: 0, generation: 3, hash: 1, parent: 0, position: 0 },
      { slot: 3, generation: 4, hash: 3, parent: 2, position: 2 },
    ])
    const { slots } = await world.binding.recoverSlots(file, OFFSET, 5, options(5))
    assert.deepEqual([...slots], [3, 2, 0])
  },

  'generations that lie far apart are in order, too': async (world) => {
    const file = await world.file()
    const generations = [2 ** 52, 3, 2 ** 40, 2 ** 33 + 1, 2 ** 33]
    await write(
      world.binding,
      file,
      generations.map((generation, slot) => ({ slot, generation, hash: slot + 1 })),
    )
    const { slots, lastGeneration } = await world.binding.recoverSlots(file, OFFSET, 5, options(5))
    assert.deepEqual([[...slots], lastGeneration], [[1, 4, 3, 2, 0], 2 ** 52])
  },
}

const OFFSET = 4096
/** Blocks of chains: more than lie in a cache line, fewer than the twin takes long for. */
const SCATTERED = 5_000

/** A number that looks like any, the same each time. */
function mixed(number: number): number {
  const spread = Math.imul(number ^ (number >>> 7), 0x9e3779b1) >>> 0
  return (spread ^ (spread >>> 15)) >>> 0
}

/** One in eight begins a chain, most follow the block before or behind, others any block that comes to be before them. */
function parentOf(block: number): number {
  const choice = mixed(block) % 8
  if (choice === 0) return -1
  if (choice < 5) return block % 16 === 0 ? -1 : block - 1
  return (mixed(block + SCATTERED) % Math.max(1, block)) - 1
}

/** From the youngest, each behind those of its ancestors that have no place yet; then the other way round. */
function expectedOrder(parents: readonly number[]): number[] {
  const placed = new Set<number>()
  const place = (block: number): void => {
    if (block < 0 || placed.has(block)) return
    place(parents[block]!)
    placed.add(block)
  }
  for (let block = parents.length - 1; block >= 0; block--) place(block)
  return [...placed].reverse()
}

/** Blocks by their age, each with the number of its parent or −1, written to slots without order: their numbers as recovered. */
async function orderOf(world: ConformanceWorld, parents: readonly number[]): Promise<number[]> {
  const count = parents.length
  const file = await world.file()
  const depths: number[] = []
  const depthOf = (block: number): number => (depths[block] ??= parents[block]! < 0 ? 0 : depthOf(parents[block]!) + 1)
  const slots = parents.map((_, block) => block).sort((a, b) => mixed(a) - mixed(b))
  const records = parents.map((parent, block) => ({
    slot: slots[block]!,
    generation: block + 1,
    hash: block + 1,
    parent: parent + 1,
    position: depthOf(block),
  }))
  await write(world.binding, file, records)
  const found = await world.binding.recoverSlots(file, OFFSET, count, options(count))
  return Array.from(found.slots, (slot) => slots.indexOf(slot))
}
const FREE = [0, 0, 0, 0]

function options(numSlots: number): RecoverOptions {
  return { numSlots, storedSlots: numSlots, slotBytes: SLOT_BYTES }
}

interface Written {
  readonly slot: number
  readonly generation: number
  readonly hash: number
  /** Hash of the parent, which nobody has by default, as nobody has a position that fits. */
  readonly parent?: number
  readonly position?: number
  readonly length?: number
}

function write(binding: Binding, file: number, records: readonly Written[]): Promise<void> {
  const words = (names: readonly number[]) => Uint32Array.from(names.flatMap((name) => Array<number>(4).fill(name)))
  const rows: SlotRows = {
    slots: Uint32Array.from(records, ({ slot }) => slot),
    generations: Float64Array.from(records, ({ generation }) => generation),
    hashes: words(records.map(({ hash }) => hash)),
    parents: words(records.map(({ hash, parent }) => parent ?? hash + 100)),
    positions: Uint32Array.from(records, ({ hash, position }) => position ?? hash + 200),
    lengths: Uint32Array.from(records, ({ length }) => length ?? SLOT_BYTES),
    checksums: Uint32Array.from(records, ({ hash }) => hash + 300),
  }
  return binding.writeSlots(file, OFFSET, rows)
}

function wordsByRow(words: Uint32Array): number[][] {
  return Array.from({ length: words.length / 4 }, (_, row) => [...words.subarray(4 * row, 4 * row + 4)])
}

/** The index finds these slots by their hashes, and has no other. */
function assertFinds(found: { hashes: Uint32Array; index: Uint32Array }, slots: readonly number[]): void {
  const index = new HashIndex(found.hashes, { entries: found.index, size: slots.length })
  for (const slot of slots) assert.equal(index.find(found.hashes, 4 * slot), slot)
  assert.equal(found.index.filter((entry) => entry !== 0).length, slots.length)
}

function bytesOf(words: Uint32Array): Buffer {
  return Buffer.from(words.buffer, words.byteOffset, words.byteLength)
}
