import { describe, expect, test } from 'vitest'
import { hashTokens, PartialTokenBlock, rootHash, sha256Hasher, TokenBlockSequence } from '../src/index.js'
import { range } from './reference.js'

const OPTIONS = { pageSize: 4, salt: 'tests' }

function partial(...tokens: number[]): PartialTokenBlock {
  const block = new PartialTokenBlock({ hasher: sha256Hasher(OPTIONS) })
  block.pushTokens(tokens)
  return block
}

describe('PartialTokenBlock', () => {
  test('takes tokens one by one until it is full, then refuses (case 41)', () => {
    const block = partial()
    for (const token of [1, 2, 3, 4]) block.pushToken(token)
    expect(block.remaining).toBe(0)
    expect(() => block.pushToken(5)).toThrow(/^The block is full: it holds 4 tokens/)
    expect([...block.tokens]).toEqual([1, 2, 3, 4])
  })

  test('takes what fits and returns the rest (case 41)', () => {
    const block = partial(1)
    expect([...block.pushTokens([2, 3, 4, 5, 6])]).toEqual([5, 6])
    expect([...block.pushTokens([7])]).toEqual([7])
    expect([...block.tokens]).toEqual([1, 2, 3, 4])
    expect([...partial().pushTokens([1, 2])]).toEqual([])
  })

  test('gives tokens back from the end, and says when there is none (case 42)', () => {
    const block = partial(1, 2)
    expect(block.popToken()).toBe(2)
    expect(block.popToken()).toBe(1)
    expect(() => block.popToken()).toThrow(/^The block is empty/)
  })

  test('refuses to give back more than it holds, and keeps what it holds (case 42)', () => {
    const block = partial(1, 2, 3)
    expect(() => block.popTokens(4)).toThrow(new RangeError('Cannot take back 4 tokens: the block holds 3.'))
    expect(() => block.popTokens(-1)).toThrow(RangeError)
    expect(block.length).toBe(3)
    block.popTokens(2)
    expect([...block.tokens]).toEqual([1])
    block.popTokens(1)
    block.popTokens(0)
    expect(block.length).toBe(0)
  })

  test('refuses to commit while tokens are missing (case 43)', () => {
    const block = partial(1, 2, 3)
    expect(() => block.commit()).toThrow(/^The block is incomplete: 3 of 4 tokens\. Push 1 more/)
    expect([block.length, block.position]).toEqual([3, 0])
  })

  test('becomes the next block when committed (case 43)', () => {
    const block = partial(1, 2, 3, 4)
    const first = block.commit()
    expect([block.position, block.length, block.remaining]).toEqual([1, 0, 4])
    expect(block.parent).toEqual(Uint32Array.from(first.hashes.words))
    block.pushTokens([5, 6, 7, 8])
    const second = block.commit()
    expect([first.hash, second.hash]).toEqual(hashTokens(range(1, 9), OPTIONS).toHexArray())
    expect(second.position).toBe(1)
    expect([...first.tokens]).toEqual([1, 2, 3, 4])
  })

  test('begins behind the root, or behind a given block', () => {
    expect(partial().parent).toEqual(rootHash(OPTIONS))
    const [, second] = new TokenBlockSequence(range(1, 9), OPTIONS).blocks
    const next = PartialTokenBlock.after(second!)
    next.pushTokens([9, 10, 11, 12])
    expect([next.position, next.commit().hash]).toEqual([2, hashTokens(range(1, 13), OPTIONS).hex(2)])
  })

  test('rejects values that are no tokens, full or not', () => {
    expect(() => partial().pushToken(-1)).toThrow(/^token: expected an integer from 0 to 4294967295/)
    expect(() => partial().pushTokens([1, 2 ** 32])).toThrow(/^tokens\[1\]/)
  })

  test('is not changed through the arrays that it gives', () => {
    const block = partial(1, 2)
    block.tokens.fill(9)
    block.parent.fill(9)
    expect([...block.tokens]).toEqual([1, 2])
    expect(block.parent).toEqual(rootHash(OPTIONS))
  })
})
