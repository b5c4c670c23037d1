import { BlockHashes } from '@kvbm/core'
import { createPortableBinding, loadBinding } from '@kvbm/native'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { extendHashes, hashTokens, rootHash, sha256Hasher } from '../src/index.js'
import { chainByDefinition, hexOfWords, range, rootByDefinition } from './reference.js'

const arbitraryPrompt = fc.record({
  tokens: fc.uint32Array({ maxLength: 70 }).map((tokens) => Uint32Array.from(tokens)),
  pageSize: fc.integer({ min: 1, max: 20 }),
  salt: fc.uint8Array({ maxLength: 40 }).map((salt) => Uint8Array.from(salt)),
})

describe('hashTokens', () => {
  test('gives what the formula gives, for any tokens, page size and salt', () => {
    fc.assert(
      fc.property(arbitraryPrompt, ({ tokens, pageSize, salt }) => {
        const hashes = hashTokens(tokens, { pageSize, salt })
        expect(hashes.toHexArray()).toEqual(chainByDefinition(tokens, pageSize, salt))
        expect(hexOfWords(hashes.parent)).toBe(rootByDefinition(pageSize, salt).toString('hex'))
      }),
    )
  })

  const { kind } = loadBinding().describe()
  const skipped = kind === 'native' ? '' : ` (skipped: only the ${kind} core is here)`
  test.skipIf(kind !== 'native')(`gives the same with the native core and its portable twin${skipped}`, () => {
    const portable = createPortableBinding()
    fc.assert(
      fc.property(arbitraryPrompt, ({ tokens, pageSize, salt }) => {
        const native = sha256Hasher({ pageSize, salt, binding: loadBinding() }).hashTokens(tokens)
        const twin = sha256Hasher({ pageSize, salt, binding: portable }).hashTokens(tokens)
        expect(native.backing).toEqual(twin.backing)
      }),
    )
  })

  test('takes arrays and typed arrays alike', () => {
    const tokens = range(1, 40)
    const options = { pageSize: 4, salt: 'tenant' }
    expect(hashTokens(tokens, options).toHexArray()).toEqual(hashTokens(Uint32Array.from(tokens), options).toHexArray())
  })

  test('costs one native call per prompt, however long; a text salt is paid for once', () => {
    const binding = loadBinding()
    const [root, blocks] = [vi.spyOn(binding, 'sha256'), vi.spyOn(binding, 'hashBlocks')]
    const prompt = Uint32Array.from(range(0, 16_000))
    for (let time = 0; time < 3; time++) hashTokens(prompt, { pageSize: 16, salt: 'a salt of this test alone' })
    expect([root.mock.calls.length, blocks.mock.calls.length]).toEqual([1, 3])
    vi.restoreAllMocks()
  })

  test('has no position from which on names are made otherwise (case 51)', () => {
    const tokens = Uint32Array.from(range(0, 65_540))
    const names = hashTokens(tokens, { pageSize: 1 }).toHexArray()
    const expected = chainByDefinition(tokens, 1, new Uint8Array(0))
    for (const around of [255, 256, 65_535, 65_536]) expect(names[around]).toBe(expected[around])
    expect(new Set(names).size).toBe(tokens.length)
  })

  test('names full blocks only', () => {
    expect(hashTokens(range(0, 3), { pageSize: 4 }).count).toBe(0)
    expect(hashTokens(range(0, 7), { pageSize: 4 }).count).toBe(1)
    expect(hashTokens([], { pageSize: 4 }).count).toBe(0)
  })

  test('gives the same prefix of hashes to prompts with the same prefix, and other hashes after it', () => {
    const one = hashTokens([1, 2, 3, 4, 5, 6], { pageSize: 2 }).toHexArray()
    const other = hashTokens([1, 2, 3, 9, 5, 6], { pageSize: 2 }).toHexArray()
    expect(other[0]).toBe(one[0])
    expect(other[1]).not.toBe(one[1])
    expect(other[2]).not.toBe(one[2])
  })

  test('keeps salts and page sizes apart', () => {
    const names = [
      hashTokens(range(0, 8), { pageSize: 8 }),
      hashTokens(range(0, 8), { pageSize: 8, salt: 'a' }),
      hashTokens(range(0, 8), { pageSize: 8, salt: 'b' }),
      hashTokens(range(0, 8), { pageSize: 4 }),
    ].map((hashes) => hashes.hex(0))
    expect(new Set(names).size).toBe(4)
  })

  test('treats text salt as its UTF-8 bytes, and no salt as an empty one', () => {
    const tokens = range(0, 8)
    const text = hashTokens(tokens, { pageSize: 4, salt: 'Mandant ä' })
    const bytes = hashTokens(tokens, { pageSize: 4, salt: new TextEncoder().encode('Mandant ä') })
    expect(text.toHexArray()).toEqual(bytes.toHexArray())
    expect(hashTokens(tokens, { pageSize: 4 }).hex(0)).toBe(hashTokens(tokens, { pageSize: 4, salt: '' }).hex(0))
  })

  test('stays right when more salts were used than it remembers', () => {
    const salts = range(0, 600).map((index) => `salt ${index}`)
    const name = (salt: string): string => hashTokens([1, 2], { pageSize: 2, salt }).hex(0)
    const first = salts.map(name)
    expect(new Set(first).size).toBe(600)
    expect(salts.map(name)).toEqual(first)
  })

  test.each([
    ['a negative', -1],
    ['a fraction', 1.5],
    ['a too large', 2 ** 32],
    ['a not-a-number', Number.NaN],
  ])('rejects %s token with a RangeError that names it', (_, token) => {
    expect(() => hashTokens([7, 8, token], { pageSize: 2 })).toThrow(
      new RangeError(`tokens[2]: expected an integer from 0 to 4294967295, got ${token} (number)`),
    )
  })

  test('rejects other kinds of values, and other typed arrays where a value does not fit', () => {
    expect(() => hashTokens('abc' as never, { pageSize: 2 })).toThrow(RangeError)
    expect(() => hashTokens(['1'] as never, { pageSize: 2 })).toThrow(/tokens\[0\].*'1' \(string\)/)
    expect(() => hashTokens(new DataView(new ArrayBuffer(16)) as never, { pageSize: 2 })).toThrow(/^tokens: expected/)
    expect(() => hashTokens(BigInt64Array.of(1n) as never, { pageSize: 2 })).toThrow(/tokens\[0\].*1 \(bigint\)/)
    expect(() => hashTokens(Int32Array.of(1, -2) as never, { pageSize: 2 })).toThrow(/tokens\[1\]/)
    expect(hashTokens(Int32Array.of(1, 2) as never, { pageSize: 2 }).count).toBe(1)
  })

  test('rejects page sizes that are no positive integer (case 49)', () => {
    for (const pageSize of [0, -1, 1.5, Number.NaN]) {
      expect(() => hashTokens([1], { pageSize })).toThrow(/^pageSize: expected a positive integer/)
    }
    hashTokens([1], { pageSize: 16 })
    expect(() => hashTokens([1], { pageSize: '16' as never })).toThrow(/^pageSize: expected a positive integer/)
    expect(() => hashTokens([1], { pageSize: 2 ** 32 })).toThrow(/^pageSize: expected an integer of 1 to 4294967295/)
  })

  test('rejects a salt that is cut in the middle of a character, since all such cuts would be the same salt', () => {
    const halves = ['tenant \u{1f600}', 'tenant \u{1f601}'].map((text) => text.slice(0, -1))
    for (const salt of halves)
      expect(() => hashTokens([1], { pageSize: 1, salt })).toThrow(/^salt: expected whole characters/)
    expect(hashTokens([1], { pageSize: 1, salt: 'tenant \u{1f600}' }).count).toBe(1)
  })

  test('rejects an algorithm that needs loading, and says how to get it', () => {
    expect(() => hashTokens([1], { pageSize: 1, algorithm: 'xxh3' as never })).toThrow(/loadXxh3/)
  })
})

describe('rootHash', () => {
  test('is the parent of every first block, as a copy', () => {
    const options = { pageSize: 2, salt: 'x' }
    const root = rootHash(options)
    expect(root).toEqual(Uint32Array.from(hashTokens([1, 2], options).parent))
    root.fill(0)
    expect(rootHash(options)).not.toEqual(root)
  })
})

describe('extendHashes', () => {
  test('cut anywhere, head and extension are the whole', () => {
    fc.assert(
      fc.property(arbitraryPrompt, fc.nat(), ({ tokens, pageSize, salt }, at) => {
        const whole = hashTokens(tokens, { pageSize, salt })
        const cut = at % (whole.count + 1)
        const rest = extendHashes(whole.subarray(0, cut), tokens.subarray(cut * pageSize))
        const expected = whole.subarray(cut)
        expect(rest.start).toBe(cut)
        expect(rest.backing).toEqual(Uint32Array.from(expected.backing))
      }),
    )
  })

  test('goes on from a sub-range as well', () => {
    const whole = hashTokens(range(0, 32), { pageSize: 4 })
    const rest = extendHashes(whole.subarray(2, 5), range(20, 32))
    expect(rest.toHexArray()).toEqual(whole.toHexArray().slice(5))
    expect(rest.start).toBe(5)
  })

  test('refuses hashes of another algorithm', () => {
    const foreign = new BlockHashes({ algorithm: 'xxh3', pageSize: 4, backing: new Uint32Array(8) })
    expect(() => extendHashes(foreign, range(0, 4))).toThrow(
      /expected sha256 hashes of blocks of 4 tokens, got xxh3 hashes of blocks of 4 tokens/,
    )
  })
})
