import assert from 'node:assert/strict'
import type { CaseTable } from '../conformance-case.js'
import {
  assertRangeError,
  assertSameBytes,
  assertThrowsRangeError,
  type ConformanceWorld,
  jobOf,
  pattern,
} from '../conformance-world.js'

const MIB = 2 ** 20

export const copyCases: CaseTable = {
  'copies many rows of odd places and lengths': async (world) => {
    const [from, into] = [pattern(10_000), new Uint8Array(10_000)]
    const [source, target] = [world.adopt(from), world.adopt(into)]
    const rows = [
      [source, 1, target, 7, 13],
      [source, 4095, target, 4097, 3000],
      [source, 9999, target, 0, 1],
    ]
    await world.submit(rows)
    assertSameBytes(into.subarray(7, 20), from.subarray(1, 14))
    assertSameBytes(into.subarray(4097, 7097), from.subarray(4095, 7095))
    assert.equal(into[0], from[9999])
    assert.equal(into[20], 0)
  },

  'copies many megabytes': async (world) => {
    const target = world.memory(9 * MIB + 1)
    await world.write(target, 1, pattern(9 * MIB))
    assertSameBytes(await world.read(target, 1, 9 * MIB), pattern(9 * MIB))
  },

  'copies nothing: no row, a row of length 0, a row of length 0 at the end': async (world) => {
    const region = world.memory(64)
    await world.submit([])
    await world.submit([
      [region, 0, region, 5, 0],
      [region, 64, region, 64, 0],
    ])
  },

  'overlapping ends of a short row come out as if through a buffer': (world) => movesOntoItself(world, 1000, 3),
  'overlapping ends of a long row come out as if through a buffer': (world) => movesOntoItself(world, 9 * MIB, 12_345),

  'overlapping memory adopted twice comes out as if through a buffer': async (world) => {
    const bytes = pattern(9 * MIB)
    const [low, high] = [world.adopt(bytes.subarray(0, 8 * MIB)), world.adopt(bytes.subarray(777))]
    await world.submit([[low, 0, high, 0, 8 * MIB]])
    assertSameBytes(bytes.subarray(777, 777 + 8 * MIB), pattern(9 * MIB).subarray(0, 8 * MIB))
  },

  'rows that are not fives are a RangeError': async (world) => {
    const region = world.memory(64)
    await assertRangeError(() => world.submit([[region, 0, region, 5]]))
  },

  'every number outside of its region is a RangeError': async (world) => {
    const [a, b] = [world.memory(100), world.memory(50)]
    const wrong = [
      [-1, 0, 1],
      [0, -1, 1],
      [0, 0, -1],
      [100, 0, 1],
      [0, 50, 1],
      [0, 0, 51],
      [0.5, 0, 1],
      [0, 0, 1.5],
    ]
    const broken = [
      [Number.NaN, 0, 1],
      [0, Number.NaN, 1],
      [0, 0, Number.NaN],
      [0, 0, 2 ** 53],
      [2 ** 63, 0, 1],
      [0, 0, Number.POSITIVE_INFINITY],
    ]
    for (const [from, to, length] of [...wrong, ...broken]) {
      await assertRangeError(() => world.submit([[a, from!, b, to!, length!]]))
    }
  },

  'an unknown or broken number of a region is a RangeError': async (world) => {
    const region = world.memory(64)
    for (const id of [region + 1_000_000, -1, 0.5, Number.NaN, 2 ** 40]) {
      await assertRangeError(() => world.submit([[id, 0, region, 0, 1]]))
      await assertRangeError(() => world.submit([[region, 0, id, 0, 1]]))
    }
  },

  'one wrong row and nothing moves': async (world) => {
    const into = new Uint8Array(100)
    const [source, target] = [world.adopt(pattern(100)), world.adopt(into)]
    await assertRangeError(() =>
      world.submit([
        [source, 0, target, 0, 50],
        [source, 0, target, 51, 50],
      ]),
    )
    assertSameBytes(into, new Uint8Array(100))
  },

  'rows may be used for something else right after the call': async (world) => {
    const into = new Uint8Array(3 * MIB)
    const job = jobOf([[world.adopt(pattern(3 * MIB)), 0, world.adopt(into), 0, 3 * MIB]])
    const done = world.binding.submit(world.engine(1), 1, job)
    job.runs.fill(Number.NaN)
    await done
    assertSameBytes(into, pattern(3 * MIB))
  },

  'a hundred jobs at a time all do their part': async (world) => {
    const into = new Uint8Array(100 * 100_000)
    const target = world.adopt(into)
    const jobs = Array.from({ length: 100 }, (_, index) =>
      world.write(target, index * 100_000, pattern(100_000, index)),
    )
    await Promise.all(jobs)
    for (let index = 0; index < 100; index++) {
      assertSameBytes(into.subarray(index * 100_000, (index + 1) * 100_000), pattern(100_000, index))
    }
  },

  'whatever a disk gets at a time, files are written and read whole, also when that changes meanwhile': async (
    world,
  ) => {
    const engine = world.engine(4)
    const file = await world.file(new Uint8Array(2 * MIB))
    const bytes = pattern(2 * MIB)
    const into = new Uint8Array(2 * MIB)
    const [source, target] = [world.adopt(bytes), world.adopt(into)]
    for (const [depth, requestBytes] of [
      [1, 4096],
      [3, 64 * 1024],
      [1024, 2 ** 30],
    ] as const) {
      world.binding.tuneEngine(engine, { depth, requestBytes })
      into.fill(0)
      await world.binding.submit(engine, 1, jobOf([[source, 0, file, 0, 2 * MIB]]))
      const reading = Promise.all(
        Array.from({ length: 8 }, (_, part) =>
          world.binding.submit(engine, 2, jobOf([[file, (part * MIB) / 4, target, (part * MIB) / 4, MIB / 4]])),
        ),
      )
      world.binding.tuneEngine(engine, { depth: 2, requestBytes: 8192 })
      await reading
      assertSameBytes(into, bytes)
    }
  },

  'an engine without threads and an unknown engine are a RangeError': async (world) => {
    for (const threads of [0, -1, 1.5, Number.NaN])
      assertThrowsRangeError(() => world.binding.createEngine({ threads }))
    await assertRangeError(() => world.binding.submit(1_000_000, 1, jobOf([])))
  },
}

/** Up and down by `distance`. */
async function movesOntoItself(world: ConformanceWorld, length: number, distance: number): Promise<void> {
  const bytes = pattern(length + distance)
  const region = world.adopt(bytes)
  await world.submit([[region, 0, region, distance, length]])
  assertSameBytes(bytes.subarray(distance), pattern(length + distance).subarray(0, length))
  await world.submit([[region, distance, region, 0, length]])
  assertSameBytes(bytes.subarray(0, length), pattern(length + distance).subarray(0, length))
}
