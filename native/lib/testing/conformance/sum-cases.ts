import assert from 'node:assert/strict'
import type { CaseTable } from '../conformance-case.js'
import { assertRangeError, pattern } from '../conformance-world.js'

const GIB = 2 ** 30

export const sumCases: CaseTable = {
  'sums what is about to be copied': async (world) => {
    const [source, target] = [world.adopt(pattern(100)), world.memory(100)]
    const into = new Uint32Array(1)
    await world.submit([[source, 0, target, 0, 100]], {
      pieces: Float64Array.of(0, source, 0, 100),
      into,
      when: 'before',
    })
    assert.equal(into[0], world.binding.crc32c(pattern(100)))
  },

  'sums what has arrived, also from a file': async (world) => {
    const [file, target] = [await world.file(pattern(100_000)), world.memory(100_000)]
    const into = new Uint32Array(1)
    await world.submit([[file, 0, target, 0, 100_000]], {
      pieces: Float64Array.of(0, target, 0, 100_000),
      into,
      when: 'after',
    })
    assert.equal(into[0], world.binding.crc32c(pattern(100_000)))
  },

  'before and after differ when the job changes what is summed': async (world) => {
    const [source, target] = [world.adopt(pattern(10)), world.memory(10)]
    const sums: number[] = []
    for (const when of ['before', 'after'] as const) {
      const into = new Uint32Array(1)
      await world.submit([[source, 0, target, 0, 10]], { pieces: Float64Array.of(0, target, 0, 10), into, when })
      sums.push(into[0]!)
      if (when === 'before') await world.write(target, 0, new Uint8Array(10))
    }
    assert.deepEqual(sums, [world.binding.crc32c(new Uint8Array(10)), world.binding.crc32c(pattern(10))])
  },

  'pieces in any layout, of blocks in any order, give the sum of one pass': async (world) => {
    const bytes = pattern(90_000)
    const [a, b] = [world.adopt(bytes.subarray(0, 50_000)), world.adopt(bytes.subarray(50_000))]
    const into = new Uint32Array(2)
    const pieces = [
      [1, b, 0, 5],
      [0, a, 0, 1],
      [0, a, 1, 49_999],
      [1, b, 5, 39_995],
      [0, b, 0, 1],
      [0, b, 1, 0],
      [0, b, 1, 39_999],
    ]
    await world.submit([], { pieces: Float64Array.from(pieces.flat()), into, when: 'after' })
    assert.deepEqual([...into], [world.binding.crc32c(bytes), world.binding.crc32c(bytes.subarray(50_000))])
  },

  'the same block summed again gives the same number': async (world) => {
    const region = world.adopt(pattern(1000))
    const into = new Uint32Array(1)
    for (let round = 0; round < 2; round++) {
      await world.submit([], { pieces: Float64Array.of(0, region, 0, 1000), into, when: 'before' })
    }
    assert.equal(into[0], world.binding.crc32c(pattern(1000)))
  },

  'blocks without pieces keep their number': async (world) => {
    const into = Uint32Array.of(11, 22, 33)
    await world.submit([], { pieces: Float64Array.of(1, world.memory(4), 0, 4), into, when: 'before' })
    assert.deepEqual([...into], [11, world.binding.crc32c(new Uint8Array(4)), 33])
  },

  'sums megabytes, and across the border of windows': async (world) => {
    const region = world.memory(GIB + 2 ** 20)
    const bytes = pattern(2 ** 20)
    await world.write(region, GIB - 2 ** 19, bytes)
    const into = new Uint32Array(1)
    await world.submit([], { pieces: Float64Array.of(0, region, GIB - 2 ** 19, 2 ** 20), into, when: 'before' })
    assert.equal(into[0], world.binding.crc32c(bytes))
  },

  'wrong pieces are a RangeError, and nothing is copied': async (world) => {
    const [source, target, file] = [world.adopt(pattern(10)), world.memory(10), await world.file()]
    const wrong = [
      [2, source, 0, 1],
      [-1, source, 0, 1],
      [0.5, source, 0, 1],
      [0, source, 5, 6],
      [0, file, 0, 0],
      [0, 1e9, 0, 1],
      [0, source, 0],
    ]
    for (const piece of wrong) {
      const sums = { pieces: Float64Array.from(piece), into: new Uint32Array(2), when: 'after' as const }
      await assertRangeError(() => world.submit([[source, 0, target, 0, 10]], sums))
    }
    assert.deepEqual([...(await world.read(target, 0, 10))], new Array(10).fill(0))
  },
}
