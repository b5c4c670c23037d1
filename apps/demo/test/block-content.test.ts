import { expect, test } from 'vitest'
import { BlockChecker, fillBlock, tokensOf } from '../src/block-content.js'
import { openCache, PAGE_SIZE } from '../src/cache.js'

const SIZE = 3 * 4096

async function namesOf(ids: readonly number[]) {
  await using manager = await openCache({ deviceBlocks: 0, hostBlocks: 1, diskBlocks: 0, blockBytes: 4096, dir: '' })
  return manager.hash(tokensOf(ids, PAGE_SIZE))
}

test('a block is right only with its own bytes, whole or in parts', async () => {
  const names = await namesOf([7, 8])
  const checker = new BlockChecker(SIZE)
  const bytes = new Uint8Array(SIZE)
  fillBlock(bytes, names, 0)
  expect(checker.isRight(bytes, names, 0)).toBe(true)
  expect(checker.isRight([bytes.subarray(0, 100), bytes.subarray(100)], names, 0)).toBe(true)
  expect(checker.isRight(bytes, names, 1)).toBe(false)
  expect(checker.isRight(bytes.subarray(4096), names, 0)).toBe(false)
})

test('a wrong bit, two pages in the wrong order and a lost page show', async () => {
  const names = await namesOf([7])
  const checker = new BlockChecker(SIZE)
  const damaged = (damage: (bytes: Uint8Array) => void): boolean => {
    const bytes = new Uint8Array(SIZE)
    fillBlock(bytes, names, 0)
    damage(bytes)
    return !checker.isRight(bytes, names, 0)
  }
  expect(damaged(() => {})).toBe(false)
  expect(damaged((bytes) => (bytes[SIZE - 1]! ^= 1))).toBe(true)
  expect(damaged((bytes) => bytes.copyWithin(4096, 8192))).toBe(true)
  expect(damaged((bytes) => bytes.fill(0, 4096, 8192))).toBe(true)
})

test('ids that differ only beyond 32 bits name different blocks', async () => {
  expect((await namesOf([5])).hex(0)).not.toBe((await namesOf([5 + 2 ** 32])).hex(0))
})
