import { HashIndex } from '@kvbm/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BlockList, Links } from '../src/block-list.js'
import { BlockTable } from '../src/block-table.js'
import { recentFirst } from '../src/restore.js'

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

  test('a list is filled at once, and keeps what is to be kept, in order', () => {
    const flags = fc.array(fc.boolean(), { minLength: 8, maxLength: 8 })
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: 7 })), flags, (ids, kept) => {
        const list = new BlockList(new Links(8, 1), 8)
        list.fill(ids.length, (place) => ids[place]!)
        expect([[...list], list.size]).toEqual([ids, ids.length])
        list.retain((id) => kept[id]!)
        const left = ids.filter((id) => kept[id])
        expect([[...list], list.size]).toEqual([left, left.length])
        for (const id of left.toReversed()) list.remove(id)
        expect([...list]).toEqual([])
      }),
    )
  })
})

/** Blocks by parent: each has a hash of its own; −1 begins a chain. */
function forest(parents: readonly number[]): { ids: Uint32Array; table: BlockTable; index: HashIndex } {
  const table = new BlockTable(parents.length)
  const index = new HashIndex(table.hashes)
  const depthOf = (id: number): number => (parents[id]! < 0 ? 0 : depthOf(parents[id]!) + 1)
  for (const [id, parent] of parents.entries()) {
    const backing = Uint32Array.of(...Array<number>(4).fill(parent + 1), ...Array<number>(4).fill(id + 1))
    table.name(id, backing, 0, depthOf(id))
    index.insert(id)
  }
  return { ids: Uint32Array.from(parents.keys()), table, index }
}

function ordered(parents: readonly number[]): number[] {
  const { ids, table, index } = forest(parents)
  return [...recentFirst(ids, table, index)]
}

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
        const order = ordered(parents)
        expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, row) => row))
        for (const [place, row] of order.entries()) {
          if (parents[row]! >= 0) expect(order.indexOf(parents[row]!)).toBeLessThan(place)
        }
      }),
    )
  })

  test('keeps an order that is right already', () => {
    expect(ordered([3, 2, -1, -1])).toEqual([3, 2, 1, 0])
  })

  test('brings a chain that was written head first before what was written earlier', () => {
    expect(ordered([-1, -1, 1, 2])).toEqual([1, 2, 3, 0])
  })

  test('finds parents that were written long before, and walks on from there', () => {
    expect(ordered([-1, 0, -1, 1])).toEqual([0, 1, 3, 2])
  })
})
