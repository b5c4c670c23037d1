import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import type { CaseTable } from '../conformance-case.js'
import {
  assertRangeError,
  assertSameBytes,
  type ConformanceWorld,
  hasCode,
  jobOf,
  pattern,
} from '../conformance-world.js'

const GIB = 2 ** 30

export const fileCases: CaseTable = {
  'a job writes to a file and reads it back': (world) => keepsBytes(world, false),
  'a job writes to a file opened for direct I/O and reads it back': (world) => keepsBytes(world, true),

  'direct I/O says whether it is on, and why not': async (world) => {
    for (const direct of [false, true]) {
      const file = await world.open({ create: true, direct })
      assert.equal(file.direct, direct && file.direct)
      assert.equal(file.note === '', file.direct)
      assert.ok(file.alignment >= 1)
    }
  },

  'many megabytes go to a file and back': async (world) => {
    const file = await world.file(undefined, { direct: true })
    const memory = world.memory(9 * 2 ** 20)
    await world.write(memory, 0, pattern(9 * 2 ** 20))
    await world.submit([[memory, 0, file, 4096, 9 * 2 ** 20]])
    assertSameBytes(await world.read(file, 4096, 9 * 2 ** 20), pattern(9 * 2 ** 20))
  },

  'what a job wrote the small functions read, and the other way round': async (world) => {
    const file = await world.file(undefined, { direct: true })
    const memory = world.memory(8192)
    await world.write(memory, 0, pattern(8192))
    await world.submit([[memory, 0, file, 0, 8192]])
    assertSameBytes(await world.binding.readFile(file, 10, 5000), pattern(8192).subarray(10, 5010))
    await world.binding.writeFile(file, 4000, pattern(200, 2))
    await world.submit([[file, 0, memory, 0, 8192]])
    assertSameBytes(await world.read(memory, 4000, 200), pattern(200, 2))
    assertSameBytes(await world.read(memory, 0, 4000), pattern(8192).subarray(0, 4000))
  },

  'bytes lie beyond 4 GiB of a file too': async (world) => {
    const file = await world.file(undefined, { direct: true })
    await world.write(file, 5 * GIB + 3, pattern(5000))
    assertSameBytes(await world.read(file, 5 * GIB + 3, 5000), pattern(5000))
    assertSameBytes(await world.binding.readFile(file, 5 * GIB, 3), new Uint8Array(3))
  },

  'a job that reads past the end is KVBM_STORAGE_IO': async (world) => {
    for (const direct of [false, true]) {
      const file = await world.file(pattern(5000), { direct })
      const memory = world.memory(8192)
      await assert.rejects(world.submit([[file, 0, memory, 0, 8192]]), hasCode('KVBM_STORAGE_IO'))
      await assert.rejects(world.submit([[file, 5000, memory, 0, 1]]), hasCode('KVBM_STORAGE_IO'))
      await world.submit([[file, 0, memory, 0, 5000]])
    }
  },

  'the small read gives what there is': async (world) => {
    const file = await world.file(pattern(100))
    assertSameBytes(await world.binding.readFile(file, 90, 100), pattern(100).subarray(90))
    assert.equal((await world.binding.readFile(file, 100, 10)).length, 0)
    assert.equal((await world.binding.readFile(file, 5000, 10)).length, 0)
  },

  'a file tells its size when opened, and keeps its bytes': async (world) => {
    const path = world.path()
    world.binding.closeRegion(await world.file(pattern(777), { path }))
    const file = await world.open({ path })
    assert.equal(file.sizeBytes, 777)
    assertSameBytes(await world.binding.readFile(file.id, 0, 777), pattern(777))
  },

  'a file that is missing, or that must not be there, is KVBM_STORAGE_IO': async (world) => {
    const path = world.path()
    await assert.rejects(world.open({ path }), hasCode('KVBM_STORAGE_IO'))
    await world.file(undefined, { path, exclusive: true })
    await assert.rejects(world.open({ path, create: true, exclusive: true }), hasCode('KVBM_STORAGE_IO'))
  },

  'writing to a file opened for reading is KVBM_STORAGE_IO': async (world) => {
    const path = world.path()
    await world.file(pattern(10), { path })
    const { id } = await world.open({ path, write: false })
    await assert.rejects(world.binding.writeFile(id, 0, pattern(1)), hasCode('KVBM_STORAGE_IO'))
    await assert.rejects(world.write(id, 0, pattern(1)), hasCode('KVBM_STORAGE_IO'))
    assertSameBytes(await world.read(id, 0, 10), pattern(10))
  },

  'reserving makes the range exist, keeps bytes and never shrinks the file': async (world) => {
    const path = world.path()
    const file = await world.file(pattern(300), { path })
    assert.ok(['allocated', 'zero-filled', 'sparse'].includes(await world.binding.reserveFile(file, 0, 10_000)))
    assert.equal((await stat(path)).size, 10_000)
    await world.binding.reserveFile(file, 100, 100)
    assert.equal((await stat(path)).size, 10_000)
    assertSameBytes(
      await world.binding.readFile(file, 0, 400),
      Uint8Array.from([...pattern(300), ...new Uint8Array(100)]),
    )
  },

  'reserving behind a gap leaves the gap, and reserving the gap later keeps bytes': async (world) => {
    const file = await world.file()
    await world.binding.reserveFile(file, 1_000_000, 5000)
    await world.binding.writeFile(file, 1_000_000, pattern(5000))
    await world.binding.reserveFile(file, 0, 1_002_000)
    assertSameBytes(await world.read(file, 1_000_000, 5000), pattern(5000))
    assertSameBytes(await world.read(file, 500_000, 10), new Uint8Array(10))
  },

  'a long reservation does not undo what was written after a short one at the same time': async (world) => {
    const file = await world.file()
    const reserveAndWrite = async (): Promise<void> => {
      await world.binding.reserveFile(file, 7_900_000, 100_000)
      await world.write(file, 7_900_000, pattern(100_000))
    }
    await Promise.all([reserveAndWrite(), world.binding.reserveFile(file, 0, 8_000_000)])
    assertSameBytes(await world.read(file, 7_900_000, 100_000), pattern(100_000))
  },

  'flushing works': async (world) => {
    await world.binding.syncFile(await world.file(pattern(10)))
  },

  'broken offsets and lengths of files are a RangeError': async (world) => {
    const file = await world.file(pattern(10))
    for (const broken of [-1, 0.5, Number.NaN, 2 ** 53]) {
      await assertRangeError(() => world.binding.readFile(file, broken, 1))
      await assertRangeError(() => world.binding.readFile(file, 0, broken))
      await assertRangeError(() => world.binding.writeFile(file, broken, pattern(1)))
      await assertRangeError(() => world.binding.reserveFile(file, 0, broken))
      await assertRangeError(() => world.submit([[file, broken, world.memory(1), 0, 1]]))
    }
  },

  'memory where a file is wanted, a file where memory is wanted, two files: a RangeError': async (world) => {
    const [memory, a, b] = [world.memory(100), await world.file(pattern(10)), await world.file(pattern(10))]
    await assertRangeError(() => world.binding.readFile(memory, 0, 1))
    await assertRangeError(() => world.binding.syncFile(memory))
    assert.throws(() => world.binding.windowOf(a, 0), RangeError)
    await assertRangeError(() => world.submit([[a, 0, b, 0, 10]]))
  },

  'closing a file does not take it from what uses it': async (world) => {
    const path = world.path()
    const file = await world.file(undefined, { path })
    const jobs = [0, 1, 2].map((index) => world.write(file, index * 500_000, pattern(500_000, index)))
    const reserving = world.binding.reserveFile(file, 2_000_000, 6_000_000)
    const small = world.binding.writeFile(file, 1_500_000, pattern(1000, 9))
    world.binding.closeRegion(file)
    await assertRangeError(() => world.binding.syncFile(file))
    await Promise.all([...jobs, small, reserving])
    const { id } = await world.open({ path })
    assertSameBytes(await world.read(id, 1_000_000, 500_000), pattern(500_000, 2))
    assertSameBytes(await world.read(id, 1_500_000, 1000), pattern(1000, 9))
  },

  'a job that fails leaves the engine working': async (world) => {
    const [file, memory] = [await world.file(pattern(10)), world.memory(100)]
    const engine = world.engine(1)
    await assert.rejects(
      world.binding.submit(engine, 1, jobOf([[file, 0, memory, 0, 100]])),
      hasCode('KVBM_STORAGE_IO'),
    )
    await world.binding.submit(engine, 2, jobOf([[file, 0, memory, 0, 10]]))
    assertSameBytes(await world.read(memory, 0, 10), pattern(10))
  },
}

/** Aligned and unaligned, from aligned and unaligned memory, in one job. */
async function keepsBytes(world: ConformanceWorld, direct: boolean): Promise<void> {
  const file = await world.file(undefined, { direct })
  const memory = world.memory(65_536)
  await world.write(memory, 0, pattern(65_536))
  await world.submit([
    [memory, 0, file, 0, 8192],
    [memory, 8192, file, 8192, 777],
    [memory, 9001, file, 20_001, 4096],
    [memory, 5, file, 40_960, 4096],
  ])
  assertSameBytes(await world.read(file, 0, 8969), pattern(65_536).subarray(0, 8969))
  const back = world.memory(65_536)
  await world.submit([
    [file, 20_001, back, 3, 4096],
    [file, 40_960, back, 8192, 4096],
  ])
  assertSameBytes(await world.read(back, 3, 4096), pattern(65_536).subarray(9001, 13_097))
  assertSameBytes(await world.read(back, 8192, 4096), pattern(65_536).subarray(5, 4101))
}
