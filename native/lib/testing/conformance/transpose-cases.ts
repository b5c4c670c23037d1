import assert from 'node:assert/strict'
import type { TransposedTable } from '@kvbm/core'
import { WINDOW_STRIDE_BYTES } from '../../binding.js'
import type { CaseTable } from '../conformance-case.js'
import { assertRangeError, assertSameBytes, type ConformanceWorld, jobOf, pattern } from '../conformance-world.js'

/** Cells of common and of odd sizes; one row, one column, one cell; more bytes than run inline. */
const TABLES: readonly TransposedTable[] = [
  { rows: 16, columns: 8, cellBytes: 256 },
  { rows: 3, columns: 5, cellBytes: 7 },
  { rows: 64, columns: 3, cellBytes: 2 },
  { rows: 5, columns: 9, cellBytes: 1 },
  { rows: 1, columns: 6, cellBytes: 33 },
  { rows: 6, columns: 1, cellBytes: 33 },
  { rows: 1, columns: 1, cellBytes: 1 },
  { rows: 128, columns: 32, cellBytes: 130 },
]
const TABLE: TransposedTable = { rows: 4, columns: 2, cellBytes: 8 }
const BYTES = 64

export const transposeCases: CaseTable = {
  'rows and columns of every run change places, and nothing else moves': async (world) => {
    for (const table of TABLES) {
      const length = bytesOf(table)
      const [from, into] = [pattern(2 * length + 9), pattern(2 * length + 20, 2)]
      const expected = into.slice()
      expected.set(transposed(from.subarray(9 + length), table), 3)
      expected.set(transposed(from.subarray(5, 5 + length), table), 10 + length)
      const [source, target] = [world.adopt(from), world.adopt(into)]
      const rows = [
        [source, 9 + length, target, 3, length],
        [source, 5, target, 10 + length, length],
      ]
      await submit(world, rows, table)
      assertSameBytes(into, expected)
    }
  },

  'transposed there and back, bytes are what they were': async (world) => {
    const bytes = pattern(BYTES)
    const [between, into] = [world.memory(BYTES), new Uint8Array(BYTES)]
    await submit(world, [[world.adopt(bytes), 0, between, 0, BYTES]], TABLE)
    const back = { ...TABLE, rows: TABLE.columns, columns: TABLE.rows }
    await submit(world, [[between, 0, world.adopt(into), 0, BYTES]], back)
    assertSameBytes(into, bytes)
  },

  'a table may lie across the border of windows': async (world) => {
    const region = world.memory(2 * WINDOW_STRIDE_BYTES)
    const [at, into] = [WINDOW_STRIDE_BYTES - 21, WINDOW_STRIDE_BYTES + 1000]
    await world.write(region, at, pattern(BYTES))
    await submit(world, [[region, at, region, into, BYTES]], TABLE)
    assertSameBytes(await world.read(region, into, BYTES), transposed(pattern(BYTES), TABLE))
    await submit(world, [[region, into, region, at, BYTES]], TABLE)
    const twice = transposed(transposed(pattern(BYTES), TABLE), TABLE)
    assertSameBytes(await world.read(region, at, BYTES), twice)
  },

  'sums before see the source, sums after the transposed target': async (world) => {
    const [from, into] = [pattern(BYTES), new Uint8Array(BYTES)]
    const [source, target] = [world.adopt(from), world.adopt(into)]
    const sum = async (region: number, when: 'before' | 'after'): Promise<number> => {
      const sums = { pieces: Float64Array.of(0, region, 0, BYTES), into: new Uint32Array(1), when }
      const job = { ...jobOf([[source, 0, target, 0, BYTES]], sums), transpose: TABLE }
      await world.binding.submit(world.engine(1), 1, job)
      return sums.into[0]!
    }
    assert.equal(await sum(source, 'before'), world.binding.crc32c(from))
    assert.equal(await sum(target, 'after'), world.binding.crc32c(transposed(from, TABLE)))
  },

  'a run that is no such table is a RangeError that says how long it must be, and nothing moves': async (world) => {
    const into = new Uint8Array(200)
    const [source, target] = [world.adopt(pattern(200)), world.adopt(into)]
    for (const length of [0, BYTES - 1, BYTES + 1, 2 * BYTES]) {
      const rows = [
        [source, 0, target, 0, BYTES],
        [source, 0, target, 0, length],
      ]
      await refuses(world, rows, TABLE, /^runs: expected 64 bytes, the table that job\.transpose gives, got \d+/)
    }
    assertSameBytes(into, new Uint8Array(200))
  },

  'overlapping ends are a RangeError, touching ones are not': async (world) => {
    const bytes = pattern(3 * BYTES)
    const region = world.adopt(bytes)
    const behind = world.adopt(bytes.subarray(BYTES))
    for (const [from, to] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [BYTES - 1, 0],
    ])
      await refuses(world, [[region, from!, region, to!, BYTES]], TABLE, /^runs: 64 bytes .* overlap/)
    await refuses(world, [[region, 1, behind, 0, BYTES]], TABLE, /overlap/)
    assertSameBytes(bytes, pattern(3 * BYTES))
    await submit(world, [[region, 0, behind, 0, BYTES]], TABLE)
    assertSameBytes(bytes.subarray(BYTES, 2 * BYTES), transposed(pattern(3 * BYTES).subarray(0, BYTES), TABLE))
  },

  'a file at either end is a RangeError that says the way': async (world) => {
    const [file, memory] = [await world.file(pattern(BYTES)), world.memory(BYTES)]
    const message = /^runs: \d+ is a file\. Transpose from memory to memory, in another job\.$/
    await refuses(world, [[file, 0, memory, 0, BYTES]], TABLE, message)
    await refuses(world, [[memory, 0, file, 0, BYTES]], TABLE, message)
  },

  'a number of a table that is no count is a RangeError that names it': async (world) => {
    const region = world.memory(2 * BYTES)
    for (const field of ['rows', 'columns', 'cellBytes'] as const)
      for (const value of [0, -1, 0.5, Number.NaN, 2 ** 53])
        await refuses(
          world,
          [[region, 0, region, BYTES, BYTES]],
          { ...TABLE, [field]: value },
          RegExp(`transpose.${field}`),
        )
  },

  'a table of more bytes than there can be is a RangeError': async (world) => {
    await refuses(world, [], { rows: 2 ** 30, columns: 2 ** 30, cellBytes: 2 ** 30 }, /transpose/)
  },
}

function submit(world: ConformanceWorld, rows: readonly (readonly number[])[], transpose: TransposedTable) {
  return world.binding.submit(world.engine(1), 1, { ...jobOf(rows), transpose })
}

async function refuses(
  world: ConformanceWorld,
  rows: readonly (readonly number[])[],
  table: TransposedTable,
  message: RegExp,
): Promise<void> {
  const refused = submit(world, rows, table)
  await assertRangeError(() => refused)
  await assert.rejects(refused, { message })
}

function bytesOf({ rows, columns, cellBytes }: TransposedTable): number {
  return rows * columns * cellBytes
}

/** Byte by byte. */
function transposed(bytes: Uint8Array, { rows, columns, cellBytes }: TransposedTable): Uint8Array {
  return Uint8Array.from(bytes, (_, at) => {
    const [cell, byte] = [Math.floor(at / cellBytes), at % cellBytes]
    const [column, row] = [Math.floor(cell / rows), cell % rows]
    return bytes[(row * columns + column) * cellBytes + byte]!
  })
}
