import { describe, expect, test } from 'vitest'
import { BlockPool } from '../src/index.js'
import { counted } from './world.js'

const BLOCKS = 20_000
/** The smallest object that JavaScript can make has more bytes. */
const OBJECT_BYTES_MIN = 12

/** Rounds after which newer compilers, which take their time, have compiled it too. */
const WARM_ROUNDS = 60

/** Bytes that `act` leaves on the JavaScript heap, garbage included; elements of large typed arrays lie outside of it. */
function heapBytes(act: () => void): number {
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  act()
  return process.memoryUsage().heapUsed - before
}

/** Code that was not compiled yet keeps its large numbers on the heap: the median of some rounds is that of compiled code. */
function usualHeapBytes(act: () => void): number {
  for (let round = 0; round < WARM_ROUNDS; round++) act()
  const rounds = Array.from({ length: 9 }, () => heapBytes(act))
  return rounds.sort((a, b) => a - b)[4]!
}

describe('the hot path makes no JavaScript object per block', () => {
  const [one, other] = [counted(BLOCKS), counted(2 * BLOCKS).subarray(BLOCKS)]

  test('which this way of measuring would see', () => {
    const kept: object[] = new Array(BLOCKS)
    expect(
      usualHeapBytes(() => {
        for (let block = 0; block < BLOCKS; block++) kept[block] = { block }
      }),
    ).toBeGreaterThan(BLOCKS * OBJECT_BYTES_MIN)
  })

  test.each([
    ['alone', {}],
    ['watched', { observer: { registered: () => {}, evicted: () => {} }, eventManager: { publish: () => {} } }],
  ])('allocating, evicting, registering, matching, retaining and releasing, %s', (_, watchers) => {
    const pool = new BlockPool({ numBlocks: BLOCKS, pageSize: 16, leaks: 'off', ...watchers })
    const bytes = usualHeapBytes(() => {
      for (const hashes of [one, other]) {
        pool.allocate(BLOCKS).register(hashes).release()
        const found = pool.match(hashes)
        found.retain().release()
        found.release()
      }
    })
    expect(pool.stats().evictions).toBeGreaterThan(BLOCKS)
    expect(bytes).toBeLessThan(BLOCKS * OBJECT_BYTES_MIN)
  })
})
