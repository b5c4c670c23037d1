import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BlockHasher, hashTokens, loadXxh3, sha256Hasher, TokenBlockSequence } from '../src/index.js'
import { chainByDefinition, range } from './reference.js'

const OPTIONS = { pageSize: 4, salt: 'tests' }

function sequence(length: number): TokenBlockSequence {
  return new TokenBlockSequence(range(1, length + 1), OPTIONS)
}

/** What a sequence shows of itself, to compare it with one that was made in another way. */
function look(sequence: TokenBlockSequence) {
  const { currentBlock: partial } = sequence
  return {
    tokens: [...sequence.tokens],
    hashes: sequence.hashes.toHexArray(),
    blocks: sequence.blocks.map((block) => [block.position, block.hash, ...block.tokens]),
    partial: [partial.position, ...partial.tokens],
    parent: [...partial.parent],
  }
}

describe('TokenBlockSequence', () => {
  test('names each block as soon as its last token is there (case 40)', () => {
    const built = sequence(10)
    expect([built.length, built.blockCount]).toEqual([10, 2])
    expect(built.hashes.toHexArray()).toEqual(chainByDefinition(range(1, 11), 4, Buffer.from('tests')))
    expect([...built.currentBlock.tokens]).toEqual([9, 10])
    const full = sequence(8)
    expect([full.blockCount, full.currentBlock.length, full.currentBlock.position]).toEqual([2, 0, 2])
  })

  test('append tells the index exactly when a block completes (case 44)', () => {
    const built = new TokenBlockSequence([], OPTIONS)
    const told = range(1, 13).map((token) => built.append(token))
    expect(told).toEqual([
      undefined,
      undefined,
      undefined,
      0,
      undefined,
      undefined,
      undefined,
      1,
      undefined,
      undefined,
      undefined,
      2,
    ])
    expect(look(built)).toEqual(look(sequence(12)))
  })

  test('extend tells the blocks it completed: none, one, many (case 44)', () => {
    const built = new TokenBlockSequence([], OPTIONS)
    expect(built.extend([])).toBeUndefined()
    expect(built.extend([1, 2, 3])).toBeUndefined()
    expect(built.extend([4, 5])).toEqual({ from: 0, to: 1 })
    expect(built.extend(range(6, 19))).toEqual({ from: 1, to: 4 })
    expect(look(built)).toEqual(look(sequence(18)))
  })

  test.each([
    ['more than all', 99],
    ['all', 10],
    ['mid-partial', 9],
    ['a block edge', 8],
    ['mid-block, which opens it again', 7],
    ['an earlier block edge', 4],
    ['one token', 1],
    ['zero', 0],
  ])('truncate to %s keeps what hashing from scratch gives (case 45)', (_, length) => {
    const built = sequence(10)
    built.truncate(length)
    expect(look(built)).toEqual(look(sequence(Math.min(length, 10))))
  })

  test('unwinds none, some and all tokens, and refuses more than all (case 46)', () => {
    for (const count of [0, 1, 2, 3, 6, 10]) {
      const built = sequence(10)
      built.unwind(count)
      expect(look(built)).toEqual(look(sequence(10 - count)))
    }
    const built = sequence(10)
    expect(() => built.unwind(11)).toThrow(new RangeError('Cannot unwind 11 tokens: the sequence holds 10.'))
    expect(() => built.unwind(-1)).toThrow(RangeError)
    expect(() => built.truncate(1.5)).toThrow(RangeError)
    expect(built.length).toBe(10)
  })

  test('pops to empty, then tells that there is nothing (case 47)', () => {
    const built = sequence(9)
    for (const token of range(1, 10).reverse()) {
      expect(built.pop()).toBe(token)
      expect(look(built)).toEqual(look(sequence(token - 1)))
    }
    expect(built.pop()).toBeUndefined()
    expect(built.pop()).toBeUndefined()
  })

  test('cuts tokens into full blocks and the rest (case 48)', () => {
    const { blocks, partial } = TokenBlockSequence.split(range(1, 11), OPTIONS)
    expect(blocks.map((block) => [...block.tokens])).toEqual([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ])
    expect(blocks.map((block) => block.hash)).toEqual(hashTokens(range(1, 11), OPTIONS).toHexArray())
    expect([...partial.tokens]).toEqual([9, 10])
    expect(TokenBlockSequence.split([1, 2], OPTIONS).blocks).toEqual([])
  })

  test('gives tokens of a range, none for an empty or impossible one (case 48)', () => {
    const built = sequence(10)
    const at = (from: number, to: number): number[] => [...built.tokensAt({ from, to })]
    expect(at(0, 10)).toEqual(range(1, 11))
    expect(at(3, 6)).toEqual([4, 5, 6])
    expect(at(8, 10)).toEqual([9, 10])
    expect([at(5, 5), at(6, 5), at(0, 11), at(11, 12), at(-1, 3), at(0.5, 2)]).toEqual([[], [], [], [], [], []])
  })

  test('hands out its parts and is empty then; the parts go on by themselves (case 48)', () => {
    const built = sequence(10)
    const { blocks, partial } = built.intoParts()
    expect(look(built)).toEqual(look(sequence(0)))
    built.extend(range(90, 100))
    expect(partial.pushTokens([11, 12])).toHaveLength(0)
    expect([...blocks, partial.commit()].map((block) => block.hash)).toEqual(
      hashTokens(range(1, 13), OPTIONS).toHexArray(),
    )
  })

  test('reset forgets the tokens and keeps salt and page size (case 48)', () => {
    const built = sequence(10)
    built.reset()
    expect(look(built)).toEqual(look(sequence(0)))
    built.extend(range(1, 8))
    expect(look(built)).toEqual(look(sequence(7)))
  })

  test('refuses page size 0 (case 49)', () => {
    expect(() => new TokenBlockSequence([], { pageSize: 0 })).toThrow(
      /^pageSize: expected a positive integer, got 0 \(number\)/,
    )
    expect(() => TokenBlockSequence.split([1], { pageSize: 0 })).toThrow(/^pageSize/)
  })

  test('rejects values that are no tokens and stays as it was', () => {
    const built = sequence(3)
    expect(() => built.append(1.5)).toThrow(/^token: expected an integer from 0 to 4294967295, got 1.5/)
    expect(() => built.extend([4, -1])).toThrow(/^tokens\[1\]/)
    expect(look(built)).toEqual(look(sequence(3)))
  })

  test('names a block by one call however many blocks are new', () => {
    const sha256 = sha256Hasher(OPTIONS)
    let calls = 0
    const hasher = new BlockHasher({
      algorithm: 'sha256',
      pageSize: 4,
      root: sha256.root,
      chain: (step) => {
        calls++
        sha256.fill(step)
      },
    })
    const built = new TokenBlockSequence(range(0, 4000), { hasher })
    expect([built.blockCount, calls]).toEqual([1000, 1])
    built.extend([1, 2, 3])
    expect(calls).toBe(1)
    built.append(4)
    expect(calls).toBe(2)
  })

  test('stays as it was when its hasher throws', () => {
    const sha256 = sha256Hasher(OPTIONS)
    let fails = false
    const chain: typeof sha256.fill = (step) => {
      if (fails) throw new Error('no hash today')
      sha256.fill(step)
    }
    const hasher = new BlockHasher({ algorithm: 'sha256', pageSize: 4, root: sha256.root, chain })
    const built = new TokenBlockSequence(range(1, 8), { hasher })
    fails = true
    expect(() => built.append(8)).toThrow('no hash today')
    expect(() => built.extend(range(8, 40))).toThrow('no hash today')
    fails = false
    expect(look(built)).toEqual(look(sequence(7)))
    built.append(8)
    expect(look(built)).toEqual(look(sequence(8)))
  })

  test('gives blocks by index, the last one by name, and undefined beyond', () => {
    const built = sequence(10)
    expect(built.block(1)?.hash).toBe(built.lastCompleteBlock?.hash)
    expect([...(built.block(0)?.tokens ?? [])]).toEqual([1, 2, 3, 4])
    expect([built.block(2), built.block(-1), built.block(0.5)]).toEqual([undefined, undefined, undefined])
    expect(sequence(3).lastCompleteBlock).toBeUndefined()
  })

  test('what it gave out does not change when the sequence does', () => {
    const built = sequence(8)
    const { hashes, tokens, currentBlock, lastCompleteBlock } = built
    const before = [
      hashes.toHexArray(),
      [...tokens],
      currentBlock.length,
      [...lastCompleteBlock!.tokens],
      lastCompleteBlock!.hash,
    ]
    built.truncate(2)
    built.extend(range(100, 120))
    expect([
      hashes.toHexArray(),
      [...tokens],
      currentBlock.length,
      [...lastCompleteBlock!.tokens],
      lastCompleteBlock!.hash,
    ]).toEqual(before)
    currentBlock.pushTokens([1, 2])
    expect(built.length).toBe(22)
  })

  test('after any edits equals a sequence hashed from scratch, with sha256 and both xxh3 conventions', async () => {
    const xxh3 = await loadXxh3()
    const hashers = [
      (pageSize: number) => sha256Hasher({ pageSize, salt: 's' }),
      (pageSize: number) => xxh3.hasher({ pageSize, salt: 's', seedConvention: 'v1' }),
      (pageSize: number) => xxh3.hasher({ pageSize, salt: 's', seedConvention: 'current' }),
    ]
    fc.assert(
      fc.property(
        fc.constantFrom(...hashers),
        fc.integer({ min: 1, max: 6 }),
        fc.array(arbitraryEdit, { maxLength: 25 }),
        (make, pageSize, edits) => {
          const hasher = make(pageSize)
          const edited = new TokenBlockSequence([], { hasher })
          const model: number[] = []
          for (const edit of edits) apply(edit, edited, model)
          expect(look(edited)).toEqual(look(new TokenBlockSequence(model, { hasher })))
          expect([...edited.tokens]).toEqual(model)
        },
      ),
      { numRuns: 300 },
    )
  })
})

type Edit =
  | { readonly do: 'append'; readonly token: number }
  | { readonly do: 'extend'; readonly tokens: number[] }
  | { readonly do: 'truncate' | 'unwind'; readonly to: number }
  | { readonly do: 'pop' | 'reset' | 'look' }

const token = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const arbitraryEdit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('append' as const), token }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('extend' as const), tokens: fc.array(token, { maxLength: 15 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('truncate' as const, 'unwind' as const), to: fc.nat(40) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('pop' as const, 'pop' as const, 'look' as const, 'reset' as const) }),
  },
)

function apply(edit: Edit, sequence: TokenBlockSequence, model: number[]): void {
  switch (edit.do) {
    case 'append':
      model.push(edit.token)
      sequence.append(edit.token)
      break
    case 'extend':
      model.push(...edit.tokens)
      sequence.extend(edit.tokens)
      break
    case 'truncate':
      model.splice(edit.to)
      sequence.truncate(edit.to)
      break
    case 'unwind': {
      const count = Math.min(edit.to, model.length)
      model.splice(model.length - count)
      sequence.unwind(count)
      break
    }
    case 'pop':
      expect(sequence.pop()).toBe(model.pop())
      break
    case 'reset':
      model.length = 0
      sequence.reset()
      break
    case 'look':
      // Takes the cached snapshot, so that later edits would show a stale one.
      expect(sequence.hashes.count).toBe(sequence.blockCount)
      break
    default:
      edit satisfies never
  }
}
