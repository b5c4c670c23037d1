import { WORDS_PER_HASH } from '@kvbm/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BlockList, Links } from '../src/block-list.js'
import { HashIndex } from '../src/hash-index.js'
import { recentFirst } from '../src/restore.js'

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

  test('is empty after clear', () => {
    const index = new HashIndex(Uint32Array.of(1, 2, 3, 4))
    index.insert(0)
    index.clear()
    expect([index.size, index.find(Uint32Array.of(1, 2, 3, 4), 0)]).toEqual([0, -1])
  })
})

describe('BlockList', () => {
  test('two lists over one pair of arrays do what two arrays would', () => {
    const step = fc.tuple(fc.constantFrom('push', 'unshift', 'remove', 'shift'), fc.nat({ max: 7 }), fc.nat({ max: 1 }))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const links = new Links(8, 2)
        const lists = [new BlockList(links, 8), new BlockList(links, 9)]
        const models: number[][] = [[], []]
        for (const [kind, id, which] of steps) {
          const [list, model] = [lists[which]!, models[which]!]
          const isListed = models.some((ids) => ids.includes(id))
          if (kind === 'shift' && model.length > 0) expect(list.shift()).toBe(model.shift())
          if (kind === 'remove' && model.includes(id)) list.remove(model.splice(model.indexOf(id), 1)[0]!)
          if ((kind === 'push' || kind === 'unshift') && !isListed) {
            list[kind](id)
            model[kind](id)
          }
          expect(lists.map((each) => [...each])).toEqual(models)
          expect(lists.map(({ size }) => size)).toEqual(models.map(({ length }) => length))
        }
      }),
    )
  })
})

const rows = (count: number): Uint32Array => Uint32Array.from({ length: count }, (_, row) => row)

describe('recentFirst', () => {
  const anyForest = fc.array(fc.nat(), { minLength: 1, maxLength: 20 }).chain((numbers) =>
    fc
      .shuffledSubarray(
        numbers.map((_, index) => index),
        { minLength: numbers.length },
      )
      .map((rank) => ({ count: rank.length, parents: parentsOf(numbers, rank) })),
  )

  /** Row `rank[i]` has one of the rows `rank[0…i−1]` as its parent, or none. */
  function parentsOf(numbers: readonly number[], rank: readonly number[]): number[] {
    const parents = Array<number>(rank.length).fill(-1)
    rank.forEach((row, index) => {
      parents[row] = rank[(numbers[index]! % (index + 1)) - 1] ?? -1
    })
    return parents
  }

  test('has every row once, parents before children', () => {
    fc.assert(
      fc.property(anyForest, ({ count, parents }) => {
        const order = [...recentFirst({ ids: rows(count), parentOf: (row) => parents[row]! })]
        expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, row) => row))
        for (const [place, row] of order.entries()) {
          if (parents[row]! >= 0) expect(order.indexOf(parents[row]!)).toBeLessThan(place)
        }
      }),
    )
  })

  test('keeps an order that is right already', () => {
    expect([...recentFirst({ ids: rows(4), parentOf: (row) => [3, 2, -1, -1][row]! })]).toEqual([3, 2, 1, 0])
  })

  test('ends on a circle', () => {
    expect([...recentFirst({ ids: rows(2), parentOf: (row) => 1 - row })].toSorted()).toEqual([0, 1])
  })
})
