import { expect, test } from 'vitest'
import { type Contender, measure, spreadOf } from '../src/harness.js'

test('median and spread of odd and even many values', () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 })
  expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 })
})

test('contenders take turns, begin in turn, and the first round does not count', async () => {
  const order: string[] = []
  const contender = (name: string, amount: number): Contender => ({
    name,
    run: () => {
      order.push(name)
      return amount
    },
    close: () => void order.push(`${name} closed`),
  })
  const result = await measure(
    { name: 's', work: 'w', unit: 'u', contenders: [contender('a', 10), contender('b', 5)] },
    2,
  )
  expect(order).toEqual(['a', 'b', 'a', 'b', 'b', 'a', 'a closed', 'b closed'])
  expect(result.rounds).toBe(2)
  expect(result.ratios[0]!.against).toBe('b')
})
