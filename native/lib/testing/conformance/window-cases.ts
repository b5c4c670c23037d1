import assert from 'node:assert/strict'
import { WINDOW_STRIDE_BYTES } from '../../binding.js'
import type { CaseTable } from '../conformance-case.js'
import { assertSameBytes, assertThrowsRangeError, pattern } from '../conformance-world.js'

const GIB = 2 ** 30
/** Not a multiple of anything, above what one buffer can hold. Only touched pages are real. */
const LARGE_BYTES = 5 * GIB + 12_345

export const windowCases: CaseTable = {
  'a window is the same object each time': (world) => {
    const region = world.memory(8192)
    assert.equal(world.binding.windowOf(region, 0), world.binding.windowOf(region, 0))
  },

  'the window of a small region is as long as the region': (world) => {
    assert.equal(world.binding.windowOf(world.memory(8191), 0).byteLength, 8191)
  },

  'a window shows what a job copied, and a job copies what a window was given': async (world) => {
    const region = world.memory(8192)
    const view = new Uint8Array(world.binding.windowOf(region, 0))
    await world.write(region, 100, pattern(50))
    assertSameBytes(view.subarray(100, 150), pattern(50))
    view.set(pattern(9, 2), 8183)
    assertSameBytes(await world.read(region, 8183, 9), pattern(9, 2))
  },

  'a window that does not exist is a RangeError': (world) => {
    const region = world.memory(8192)
    for (const index of [1, -1, 0.5, Number.NaN, 2 ** 32])
      assertThrowsRangeError(() => world.binding.windowOf(region, index))
  },

  'closing detaches windows: views become empty': (world) => {
    const region = world.memory(8192)
    const view = new Uint8Array(world.binding.windowOf(region, 0), 16, 16)
    world.binding.closeRegion(region)
    assert.equal(view.byteLength, 0)
  },

  'memory above 4 GiB is copied anywhere, also across the borders of windows': async (world) => {
    const region = world.memory(LARGE_BYTES)
    const places = [0, GIB - 500, 2 * GIB - 1, 4 * GIB - 777, 4 * GIB + 5001, LARGE_BYTES - 1000]
    for (const [index, place] of places.entries()) await world.write(region, place, pattern(1000, index))
    for (const [index, place] of places.entries()) {
      assertSameBytes(await world.read(region, place, 1000), pattern(1000, index))
    }
  },

  'bytes move between distant places of memory above 4 GiB, also onto themselves': async (world) => {
    const region = world.memory(LARGE_BYTES)
    await world.write(region, GIB - 3000, pattern(9000))
    await world.submit([[region, GIB - 3000, region, GIB - 1000, 9000]])
    await world.submit([[region, GIB - 1000, region, 5 * GIB - 4500, 9000]])
    assertSameBytes(await world.read(region, 5 * GIB - 4500, 9000), pattern(9000))
  },

  'a copy beyond the end of memory above 4 GiB is a RangeError': async (world) => {
    const region = world.memory(LARGE_BYTES)
    await assert.rejects(world.write(region, LARGE_BYTES - 4, pattern(5)), RangeError)
  },

  'each window begins at its multiple of the stride and shows what jobs copied there': async (world) => {
    const region = world.memory(LARGE_BYTES)
    for (const index of [0, 1, 4, 5]) {
      await world.write(region, index * WINDOW_STRIDE_BYTES + 5, pattern(64, index))
      const view = new Uint8Array(world.binding.windowOf(region, index), 5, 64)
      assertSameBytes(view, pattern(64, index))
    }
    assertThrowsRangeError(() => world.binding.windowOf(region, 6))
  },

  'neighbouring windows never contradict each other': async (world) => {
    const region = world.memory(3 * GIB)
    await world.write(region, GIB + 99, Uint8Array.of(7))
    const before = new Uint8Array(world.binding.windowOf(region, 0))
    assert.equal(new Uint8Array(world.binding.windowOf(region, 1))[99], 7)
    if (before.length > GIB) assert.equal(before[GIB + 99], 7)
    else assert.equal(before.length, GIB)
  },
}
