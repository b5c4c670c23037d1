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

test('a contender may know better than the clock how long it took, and say what CPU time it cost', async () => {
  const contender = { name: 'a', run: () => ({ amount: 2e9, ms: 500, cpuMs: 30 }) }
  const { contenders } = await measure({ name: 's', work: 'w', unit: 'u', contenders: [contender] }, 1)
  expect(contenders[0]).toEqual({
    name: 'a',
    rate: { median: 4e9, min: 4e9, max: 4e9 },
    cpuMs: { median: 15, min: 15, max: 15 },
  })
})

test('contenders are closed when one of them fails', async () => {
  let closed = 0
  const failing = { name: 'a', run: () => Promise.reject(new Error('no disk')), close: () => void closed++ }
  await expect(measure({ name: 's', work: 'w', unit: 'u', contenders: [failing] }, 1)).rejects.toThrow('no disk')
  expect(closed).toBe(1)
})
