import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { CaseTable } from '../conformance-case.js'
import { assertThrowsRangeError, pattern } from '../conformance-world.js'

/** Published check values of CRC-32/ISCSI. */
const CRC_VECTORS: ReadonlyArray<readonly [Uint8Array, number]> = [
  [new Uint8Array(0), 0],
  [new TextEncoder().encode('123456789'), 0xe3069283],
  [new Uint8Array(32), 0x8a9136aa],
  [new Uint8Array(32).fill(0xff), 0x62a8ab43],
  [Uint8Array.from({ length: 32 }, (_, index) => index), 0x46dd794e],
  [Uint8Array.from({ length: 32 }, (_, index) => 31 - index), 0x113fdb5c],
]
/** Around the borders of SHA-256's own blocks. */
const LENGTHS = [0, 1, 55, 56, 63, 64, 65, 80, 119, 120, 128, 200, 10_000]

export const hashCases: CaseTable = {
  'CRC32C has its published values': ({ binding }) => {
    for (const [bytes, crc] of CRC_VECTORS) assert.equal(binding.crc32c(bytes), crc)
  },

  'CRC32C of parts continues to the value of the whole, at any place and alignment': ({ binding }) => {
    const bytes = pattern(5000)
    const whole = binding.crc32c(bytes)
    for (const cut of [0, 1, 7, 8, 9, 63, 1024, 4999, 5000]) {
      assert.equal(binding.crc32c(bytes.subarray(cut), binding.crc32c(bytes.subarray(0, cut))), whole, `cut at ${cut}`)
    }
  },

  'SHA-256 has its published value for nothing and for abc': ({ binding }) => {
    assert.deepEqual([...binding.sha256(new Uint8Array(0))], [0x42c4b0e3, 0x141cfc98, 0xc8f4fb9a, 0x24b96f99])
    assert.deepEqual(
      [...binding.sha256(new TextEncoder().encode('abc'))],
      [0xbf1678ba, 0xeacf018f, 0xde404141, 0x2322ae5d],
    )
  },

  'SHA-256 is right for lengths around its own blocks': ({ binding }) => {
    for (const length of LENGTHS)
      assert.deepEqual(bytesOf(binding.sha256(pattern(length))), digest(pattern(length)), `${length} bytes`)
  },

  'the chain of blocks is the chain of their digests, for pages of any size': ({ binding }) => {
    for (const pageSize of [1, 3, 12, 13, 16, 17, 64, 1000]) {
      const tokens = new Uint32Array(pattern(4 * (5 * pageSize + (pageSize >> 1))).slice().buffer)
      const backing = new Uint32Array(4 * 6)
      backing.set([1, 2, 3, 2 ** 32 - 1])
      const expected = chainOf(tokens, pageSize, backing.slice(0, 4))
      binding.hashBlocks(tokens, pageSize, backing)
      assert.deepEqual(backing, expected, `pages of ${pageSize}`)
    }
  },

  'a chain of thousands of blocks is right': ({ binding }) => {
    const tokens = new Uint32Array(pattern(4 * 16 * 5000).buffer)
    const backing = new Uint32Array(4 * 5001)
    binding.hashBlocks(tokens, 16, backing)
    assert.deepEqual(backing, chainOf(tokens, 16, new Uint32Array(4)))
  },

  'the chain may be continued from any block': ({ binding }) => {
    const tokens = new Uint32Array(pattern(4 * 4 * 10).buffer)
    const [whole, rest] = [new Uint32Array(44), new Uint32Array(24)]
    binding.hashBlocks(tokens, 4, whole)
    rest.set(whole.subarray(20, 24))
    binding.hashBlocks(tokens.subarray(20), 4, rest)
    assert.deepEqual(rest, whole.subarray(20))
  },

  'arrays may begin in the middle of their buffers, and only the chain is written': ({ binding }) => {
    const tokens = new Uint32Array(20).subarray(3, 3 + 9)
    const backing = new Uint32Array(20).fill(77)
    const chain = backing.subarray(2, 2 + 12)
    const expected = chainOf(tokens, 4, chain.slice(0, 4))
    binding.hashBlocks(tokens, 4, chain)
    assert.deepEqual(chain, expected)
    assert.deepEqual([...backing.subarray(0, 2), ...backing.subarray(14)], new Array(8).fill(77))
  },

  'fewer tokens than a page make no block': ({ binding }) => {
    const backing = Uint32Array.of(1, 2, 3, 4)
    binding.hashBlocks(new Uint32Array(15), 16, backing)
    binding.hashBlocks(new Uint32Array(0), 16, backing)
    assert.deepEqual([...backing], [1, 2, 3, 4])
  },

  'too little room for the chain, or a broken page size, is a RangeError': ({ binding }) => {
    assertThrowsRangeError(() => binding.hashBlocks(new Uint32Array(32), 16, new Uint32Array(11)))
    for (const pageSize of [0, -1, 1.5, Number.NaN]) {
      assertThrowsRangeError(() => binding.hashBlocks(new Uint32Array(4), pageSize, new Uint32Array(40)))
    }
  },
}

function digest(...pieces: readonly (Uint8Array | Uint32Array)[]): number[] {
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(piece)
  return [...hash.digest().subarray(0, 16)]
}

function bytesOf(words: Uint32Array): number[] {
  return [...new Uint8Array(words.buffer, words.byteOffset, words.byteLength)]
}

/** The parent, then the hash of each full block. */
function chainOf(tokens: Uint32Array, pageSize: number, parent: Uint32Array): Uint32Array {
  const hashes = [bytesOf(parent)]
  for (let at = 0; at + pageSize <= tokens.length; at += pageSize) {
    hashes.push(digest(Uint8Array.from(hashes.at(-1)!), tokens.subarray(at, at + pageSize)))
  }
  return new Uint32Array(Uint8Array.from(hashes.flat()).buffer)
}
