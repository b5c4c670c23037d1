import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BlockList, Links } from '../src/block-list.js'
import { FreeList } from '../src/free-list.js'
import { InactiveList } from '../src/inactive-list.js'

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

  test('a list keeps what is to be kept, in order', () => {
    const flags = fc.array(fc.boolean(), { minLength: 8, maxLength: 8 })
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: 7 })), flags, (ids, kept) => {
        const list = new BlockList(new Links(8, 1), 8)
        for (const id of ids) list.push(id)
        list.retain((id) => kept[id]!)
        const left = ids.filter((id) => kept[id])
        expect([[...list], list.size]).toEqual([left, left.length])
        for (const id of left.toReversed()) list.remove(id)
        expect([...list]).toEqual([])
      }),
    )
  })
})

describe('InactiveList', () => {
  test('does what an array would, whether blocks were restored or came since', () => {
    const step = fc.tuple(fc.constantFrom('push', 'remove', 'shift', 'fill'), fc.nat({ max: 7 }))
    const restored = fc.uniqueArray(fc.nat({ max: 7 }))
    fc.assert(
      fc.property(restored, fc.array(step, { maxLength: 40 }), (ids, steps) => {
        const list = new InactiveList(8, new BlockList(new Links(8, 1), 8))
        let model: number[] = []
        for (const [kind, id] of [['fill', 0] as const, ...steps]) {
          if (kind === 'fill' && model.length === 0) {
            list.fill(Uint32Array.from(ids))
            model = [...ids]
          }
          if (kind === 'shift' && model.length > 0) expect(list.shift()).toBe(model.shift())
          if (kind === 'remove' && model.includes(id)) list.remove(model.splice(model.indexOf(id), 1)[0]!)
          if (kind === 'push' && !model.includes(id)) {
            list.push(id)
            model.push(id)
          }
          expect([[...list], list.size]).toEqual([model, model.length])
        }
      }),
    )
  })
})

describe('FreeList', () => {
  test('does what an array of all ids would, whether they were taken before or not', () => {
    const step = fc.tuple(fc.constantFrom('unshift', 'remove', 'shift', 'retain'), fc.nat({ max: 7 }))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const list = new FreeList(8, new BlockList(new Links(8, 1), 8))
        let model = [0, 1, 2, 3, 4, 5, 6, 7]
        for (const [kind, id] of steps) {
          if (kind === 'shift' && model.length > 0) expect(list.shift()).toBe(model.shift())
          if (kind === 'remove' && model.includes(id)) list.remove(model.splice(model.indexOf(id), 1)[0]!)
          if (kind === 'unshift' && !model.includes(id)) {
            list.unshift(id)
            model.unshift(id)
          }
          if (kind === 'retain') {
            list.retain((each) => each % 3 !== id % 3)
            model = model.filter((each) => each % 3 !== id % 3)
          }
          expect([[...list], list.size]).toEqual([model, model.length])
        }
      }),
    )
  })
})
