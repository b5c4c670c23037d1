import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HashIndex, hashIndexEntries, WORDS_PER_HASH } from '../src/index.js'

const BLOCKS = 12

/** Few different words, so that many share a home and clusters wrap around. */
const anyKeys = fc.uint8Array({ minLength: BLOCKS, maxLength: BLOCKS, max: 40 }).map((names) => {
  const keys = new Uint32Array(BLOCKS * WORDS_PER_HASH)
  names.forEach((name, id) => {
    keys.fill(name * 0x10001, id * WORDS_PER_HASH, (id + 1) * WORDS_PER_HASH)
  })
  return keys
})

describe('HashIndex', () => {
  test('finds exactly what a map would, through any inserts and removals', () => {
    const steps = fc.array(fc.nat({ max: BLOCKS - 1 }), { maxLength: 80 })
    fc.assert(
      fc.property(anyKeys, steps, (keys, toggled) => {
        const index = new HashIndex(keys)
        const present = new Set<number>()
        for (const id of toggled) {
          const isPresent = present.delete(id)
          if (isPresent) index.remove(id)
          else {
            present.add(id)
            index.insert(id)
          }
          expect(index.size).toBe(present.size)
          for (let wanted = 0; wanted < BLOCKS; wanted++) {
            const found = index.find(keys, wanted * WORDS_PER_HASH)
            const twins = [...present].filter((other) => keys[other * 4] === keys[wanted * 4])
            expect(found < 0 ? twins : twins.includes(found)).toEqual(found < 0 ? [] : true)
          }
        }
      }),
    )
  })

  test('goes on with entries that another one filled', () => {
    const keys = Uint32Array.from({ length: BLOCKS * WORDS_PER_HASH }, (_, word) => word * 0x9e3779b1)
    const entries = new Uint32Array(hashIndexEntries(BLOCKS))
    const first = new HashIndex(keys, { entries, size: 0 })
    for (let id = 0; id < BLOCKS; id += 2) first.insert(id)
    const second = new HashIndex(keys, { entries, size: first.size })
    second.remove(4)
    expect(Array.from({ length: BLOCKS }, (_, id) => second.find(keys, id * WORDS_PER_HASH))).toEqual([
      0, -1, 2, -1, -1, -1, 6, -1, 8, -1, 10, -1,
    ])
    expect(second.size).toBe(5)
  })

  test('keeps an entry where the format says', () => {
    const keys = Uint32Array.of(0, 0, 0, 0, 0xdeadbeef, 0x12345678, 0x9abcdef0, 7)
    const entries = new Uint32Array(hashIndexEntries(2))
    new HashIndex(keys, { entries, size: 0 }).insert(1)
    const home = (BigInt(0xdeadbeef) ^ ((0x9abcdef0n * 0x85ebca6bn) & 0xffffffffn)) * 0x9e3779b1n
    const place = Number((home & 0xffffffffn) >> 30n)
    expect([entries.length, entries[place]]).toEqual([4, ((0x18 << 27) | 1) >>> 0])
  })

  test.each([
    [0, 2],
    [1, 2],
    [2, 4],
    [3, 8],
    [1_000_000, 2 ** 21],
    [2 ** 20, 2 ** 21],
    [2 ** 27, 2 ** 28],
  ])('of %i blocks has %i entries', (blocks, entries) => {
    expect(hashIndexEntries(blocks)).toBe(entries)
  })
})
