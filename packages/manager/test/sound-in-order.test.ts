import { expect, test } from 'vitest'
import { soundInOrder } from '../src/sound-in-order.js'

/** Parts that end when the test says so. */
function parts() {
  const taken: number[] = []
  const ends = new Map<number, { found(sound: number): void; fail(error: Error): void }>()
  const take = (at: number, count: number): Promise<number> => {
    taken.push(at, count)
    return new Promise((resolve, reject) => ends.set(at, { found: resolve, fail: reject }))
  }
  return { taken, take, end: (at: number) => ends.get(at)! }
}

/** What became of a promise after everything that can happen now has happened. */
async function stateOf(promise: Promise<unknown>): Promise<unknown> {
  await new Promise(setImmediate)
  return Promise.race([
    promise.catch((error: Error) => error.message),
    new Promise((resolve) => setImmediate(resolve, 'pending')),
  ])
}

test('three parts are on their way at once, taken in order, the last one short', async () => {
  const { taken, take, end } = parts()
  const whole = soundInOrder({ count: 7, partMax: 2 }, take)
  expect(taken).toEqual([0, 2, 2, 2, 4, 2])
  end(2).found(2)
  expect(await stateOf(whole)).toBe('pending')
  expect(taken).toHaveLength(6)
  end(0).found(2)
  await new Promise(setImmediate)
  expect(taken).toEqual([0, 2, 2, 2, 4, 2, 6, 1])
  end(4).found(2)
  end(6).found(1)
  expect(await whole).toBe(7)
})

test('a part that is not sound ends the result, takes no further one, and waits for those that run', async () => {
  const { taken, take, end } = parts()
  const whole = soundInOrder({ count: 10, partMax: 2 }, take)
  end(0).found(1)
  expect(await stateOf(whole)).toBe('pending')
  end(2).found(2)
  expect(await stateOf(whole)).toBe('pending')
  end(4).fail(new Error('of no interest any more'))
  expect(await whole).toBe(1)
  expect(taken).toEqual([0, 2, 2, 2, 4, 2])
})

test('the first failure in order is the error, once nothing runs any more', async () => {
  const { take, end } = parts()
  const whole = soundInOrder({ count: 10, partMax: 2 }, take)
  end(2).fail(new Error('second'))
  expect(await stateOf(whole)).toBe('pending')
  end(0).fail(new Error('first'))
  expect(await stateOf(whole)).toBe('pending')
  end(4).found(2)
  await expect(whole).rejects.toThrow('first')
})

test('nothing is sound of nothing', async () => {
  const { taken, take } = parts()
  expect(await soundInOrder({ count: 0, partMax: 2 }, take)).toBe(0)
  expect(taken).toEqual([])
})
