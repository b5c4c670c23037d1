import fc from 'fast-check'
import { createXXHash3 } from 'hash-wasm'
import { describe, expect, test, vi } from 'vitest'
import { loadXxh3, type SeedConvention, TokenBlockSequence } from '../src/index.js'
import { range } from './reference.js'

const xxh3 = await loadXxh3()

/** No library that tests are compiled with declares it. */
const { WebAssembly: wasm } = globalThis as unknown as {
  WebAssembly: Record<'compile' | 'instantiate', () => Promise<unknown>>
}

const FIRST = 14643705804678351452n
const SECOND_BLOCK = 16777012769546811212n
const SECOND_SEQUENCE = { v1: 4945711292740353085n, current: 13257339816715102022n }

describe('the xxh3 chain', () => {
  test.each(['v1', 'current'] as const)('gives the vectors of the seed convention %s (case 40)', (seedConvention) => {
    const hasher = xxh3.hasher({ pageSize: 4, saltHash: 1337n, seedConvention })
    const sequence = new TokenBlockSequence(range(1, 11), { hasher })
    expect(sequence.blockCount).toBe(2)
    expect([sequence.hashes.lane(0, 0), sequence.hashes.lane(0, 1)]).toEqual([FIRST, FIRST])
    expect(sequence.hashes.lane(1, 1)).toBe(SECOND_BLOCK)
    expect(sequence.hashes.lane(1, 0)).toBe(SECOND_SEQUENCE[seedConvention])
    expect([...sequence.currentBlock.tokens]).toEqual([9, 10])
  })

  test('uses the current convention unless told otherwise', () => {
    const hashes = xxh3.hashTokens(range(1, 9), { pageSize: 4, saltHash: 1337n })
    expect(hashes.lane(1, 0)).toBe(SECOND_SEQUENCE.current)
  })

  test('says in its hashes that they are its own', () => {
    const hashes = xxh3.hashTokens(range(0, 4), { pageSize: 4 })
    expect(hashes.isCompatibleWith({ algorithm: 'xxh3', pageSize: 4 })).toBe(true)
    expect(hashes.isCompatibleWith({ algorithm: 'sha256', pageSize: 4 })).toBe(false)
  })

  test('carries the salt hash in lane 0 of the root', () => {
    const saltHash = 0xfedcba9876543210n
    const { root } = xxh3.hasher({ pageSize: 4, saltHash })
    expect((BigInt(root[1]!) << 32n) | BigInt(root[0]!)).toBe(saltHash)
  })

  test('gives what hash-wasm gives with the seed built in, for any tokens, seed and page size', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint32Array({ maxLength: 300 }),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.integer({ min: 1, max: 140 }),
        fc.constantFrom<SeedConvention>('v1', 'current'),
        async (tokens, saltHash, pageSize, seedConvention) => {
          const hashes = xxh3.hashTokens(Uint32Array.from(tokens), { pageSize, saltHash, seedConvention })
          const expected = await chainByDefinition(tokens, pageSize, saltHash, seedConvention)
          expect(range(0, hashes.count).map((i) => [hashes.lane(i, 0), hashes.lane(i, 1)])).toEqual(expected)
        },
      ),
      { numRuns: 40 },
    )
  })

  test('hashes salt bytes with seed 0 to the salt hash', async () => {
    const salt = new TextEncoder().encode('model-a/tenant-b')
    const saltHash = await digest(salt, 0n)
    expect(xxh3.saltHash(salt)).toBe(saltHash)
    const [bySalt, byHash] = [{ salt: 'model-a/tenant-b' }, { saltHash }].map((given) =>
      xxh3.hashTokens(range(0, 8), { pageSize: 4, ...given }).toHexArray(),
    )
    expect(bySalt).toEqual(byHash)
  })

  test('takes no salt as salt hash 0', () => {
    const none = xxh3.hashTokens(range(0, 8), { pageSize: 4 })
    expect(none.toHexArray()).toEqual(xxh3.hashTokens(range(0, 8), { pageSize: 4, saltHash: 0n }).toHexArray())
  })

  test.each(['v1', 'current'] as const)('goes on from a parent in convention %s', (seedConvention) => {
    const options = { pageSize: 4, salt: 'x', seedConvention }
    const whole = xxh3.hashTokens(range(0, 32), options)
    for (const cut of [0, 1, 5, 8]) {
      const rest = xxh3.extendHashes(whole.subarray(0, cut), range(cut * 4, 32), { salt: 'x', seedConvention })
      expect(rest.toHexArray()).toEqual(whole.toHexArray().slice(cut))
    }
  })

  test('is loaded once', async () => {
    expect(await loadXxh3()).toBe(xxh3)
  })

  test('is loaded when asked for and not before, and asked for again after a failure', async () => {
    vi.resetModules()
    const loaded = vi.fn(() => vi.importActual<typeof import('hash-wasm')>('hash-wasm'))
    vi.doMock('hash-wasm', loaded)
    const fresh = await import('../src/index.js')
    expect(fresh.hashTokens([1, 2], { pageSize: 2 }).count).toBe(1)
    expect(loaded).not.toHaveBeenCalled()
    for (const step of ['compile', 'instantiate'] as const) {
      vi.spyOn(wasm, step).mockRejectedValueOnce(new Error('no memory'))
    }
    await expect(fresh.loadXxh3()).rejects.toThrow('no memory')
    vi.restoreAllMocks()
    expect((await fresh.loadXxh3()).saltHash('x')).toBe(xxh3.saltHash('x'))
    expect(loaded).toHaveBeenCalledOnce()
    vi.doUnmock('hash-wasm')
  })

  test('rejects salt hashes that are no 64-bit numbers, or stand beside a salt', () => {
    expect(() => xxh3.hasher({ pageSize: 4, saltHash: -1n })).toThrow(RangeError)
    expect(() => xxh3.hasher({ pageSize: 4, saltHash: 1 as never })).toThrow(/^saltHash: expected a bigint/)
    expect(() => xxh3.hasher({ pageSize: 4, saltHash: 2n ** 64n })).toThrow(RangeError)
    expect(() => xxh3.hasher({ pageSize: 4, saltHash: 1n, salt: 'x' })).toThrow(
      /saltHash: expected nothing beside salt/,
    )
    expect(() => xxh3.hasher({ pageSize: 4, seedConvention: 'v2' as never })).toThrow(/'v1' or 'current'/)
    expect(() => xxh3.hasher({ pageSize: 0 })).toThrow(/^pageSize/)
  })
})

async function digest(bytes: Uint8Array, seed: bigint): Promise<bigint> {
  const hasher = await createXXHash3(Number(seed & 0xffffffffn), Number(seed >> 32n))
  return BigInt(`0x${hasher.init().update(bytes).digest('hex')}`)
}

async function chainByDefinition(tokens: Uint32Array, pageSize: number, salt: bigint, seeds: SeedConvention) {
  const lanes: Array<[bigint, bigint]> = []
  for (let at = 0; at + pageSize <= tokens.length; at += pageSize) {
    const bytes = Buffer.alloc(pageSize * 4)
    for (let index = 0; index < pageSize; index++) bytes.writeUInt32LE(tokens[at + index]!, index * 4)
    const block = await digest(bytes, salt)
    const parent = lanes.at(-1)
    const pair = Buffer.alloc(16)
    if (parent !== undefined) pair.writeBigUInt64LE(parent[0])
    pair.writeBigUInt64LE(block, 8)
    lanes.push([parent === undefined ? block : await digest(pair, seeds === 'v1' ? salt : 0n), block])
  }
  return lanes
}
