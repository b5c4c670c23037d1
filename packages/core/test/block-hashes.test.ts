import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BlockHashes, PackedHashes, WORDS_PER_HASH } from '../src/index.js'

/** Root 1000…1003, then `count` hashes whose words count up. */
function hashesOf(count: number, start = 0): BlockHashes {
  const backing = Uint32Array.from({ length: (count + 1) * WORDS_PER_HASH }, (_, word) => 1000 + word)
  return new BlockHashes({ algorithm: 'sha256', pageSize: 16, backing, start })
}

describe('PackedHashes', () => {
  test('shows a hash as the hex of its bytes in memory order', () => {
    const bytes = Uint8Array.from({ length: 32 }, (_, index) => index * 7)
    const hashes = new PackedHashes(new Uint32Array(bytes.buffer))
    expect(hashes.hex(0)).toBe(Buffer.from(bytes.subarray(0, 16)).toString('hex'))
    expect(hashes.hex(1)).toBe(Buffer.from(bytes.subarray(16)).toString('hex'))
    expect(hashes.toHexArray()).toEqual([hashes.hex(0), hashes.hex(1)])
  })

  test('reads lanes as 64-bit little-endian numbers', () => {
    const hashes = new PackedHashes(Uint32Array.of(0x89abcdef, 0xfedcba98, 1, 0x80000000))
    expect(hashes.lane(0, 0)).toBe(0xfedcba9889abcdefn)
    expect(hashes.lane(0, 1)).toBe(0x8000000000000001n)
  })

  test('refuses words that are no whole number of hashes, and indices beyond the last', () => {
    expect(() => new PackedHashes(new Uint32Array(5))).toThrow(/^words.length: expected a multiple of 4, got 5/)
    const two = new PackedHashes(new Uint32Array(8))
    for (const index of [-1, 2, 0.5, Number.NaN]) {
      expect(() => two.hex(index)).toThrow(/^index: expected an integer from 0 to 1/)
      expect(() => two.lane(index, 0)).toThrow(/^index: expected an integer from 0 to 1/)
    }
  })
})

describe('BlockHashes', () => {
  test('has the parent of its first hash in front and does not count it', () => {
    const hashes = hashesOf(2)
    expect(hashes.count).toBe(2)
    expect([...hashes.parent]).toEqual([1000, 1001, 1002, 1003])
    expect([...hashes.words]).toEqual([1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011])
    expect(hashes.start).toBe(0)
  })

  test('a sub-range keeps position, parent, algorithm and page size', () => {
    const middle = hashesOf(5, 3).subarray(2, 4)
    expect([middle.count, middle.start, middle.algorithm, middle.pageSize]).toEqual([2, 5, 'sha256', 16])
    expect([...middle.parent]).toEqual([1008, 1009, 1010, 1011])
    expect(middle.hex(0)).toBe(hashesOf(5).hex(2))
  })

  test('a sub-range shares memory with the whole', () => {
    const whole = hashesOf(3)
    whole.backing[4 * 2] = 7
    expect(whole.subarray(1).words[0]).toBe(7)
    expect(whole.subarray(1).words.buffer).toBe(whole.words.buffer)
  })

  test('an empty sub-range still knows what it would follow', () => {
    const empty = hashesOf(3).subarray(3)
    expect([empty.count, empty.start]).toEqual([0, 3])
    expect([...empty.parent]).toEqual([1012, 1013, 1014, 1015])
    const none = hashesOf(3).subarray(2, 1)
    expect([none.count, none.start]).toEqual([0, 2])
  })

  test('cuts of cuts equal one cut, and ranges beyond the ends are clipped', () => {
    const bound = fc.integer({ min: -3, max: 12 })
    fc.assert(
      fc.property(fc.nat(8), bound, bound, bound, (count, begin, end, inner) => {
        const whole = hashesOf(count, 5)
        const cut = whole.subarray(begin, end)
        const [from, to] = [Math.min(Math.max(begin, 0), count), Math.min(Math.max(end, 0), count)]
        expect(cut.toHexArray()).toEqual(whole.toHexArray().slice(from, Math.max(from, to)))
        const at = Math.min(Math.max(inner, 0), cut.count)
        const twice = cut.subarray(at)
        expect(twice.start).toBe(whole.start + from + at)
        expect(twice.backing).toEqual(whole.backing.subarray((from + at) * 4, (from + cut.count + 1) * 4))
      }),
    )
  })

  test('is not cut in the middle of a block', () => {
    for (const at of [0.5, Number.NaN, '1' as unknown as number]) {
      expect(() => hashesOf(2).subarray(at)).toThrow(/^begin: expected an integer/)
      expect(() => hashesOf(2).subarray(0, at)).toThrow(/^end: expected an integer/)
    }
  })

  test('refuses positions and page sizes that are none', () => {
    const backing = new Uint32Array(8)
    for (const start of [-1, 0.5, Number.NaN]) {
      expect(() => new BlockHashes({ algorithm: 'sha256', pageSize: 16, backing, start })).toThrow(/^start: expected/)
    }
    expect(() => new BlockHashes({ algorithm: 'sha256', pageSize: 0, backing })).toThrow(/^pageSize: expected/)
  })

  test('refuses a backing without a parent', () => {
    expect(() => new BlockHashes({ algorithm: 'sha256', pageSize: 16, backing: new Uint32Array(0) })).toThrow(
      /at least 4 \(the parent\)/,
    )
  })

  test('is compatible with the same algorithm and page size only', () => {
    const hashes = hashesOf(1)
    expect(hashes.isCompatibleWith({ algorithm: 'sha256', pageSize: 16 })).toBe(true)
    expect(hashes.isCompatibleWith({ algorithm: 'sha256', pageSize: 32 })).toBe(false)
    expect(hashes.isCompatibleWith({ algorithm: 'xxh3', pageSize: 16 })).toBe(false)
  })
})
