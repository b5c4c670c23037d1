import { expect, test } from 'vitest'
import { attempt } from '../src/index.js'

const boom = (): never => {
  throw new Error('boom')
}

test('what a call throws, now or later, is told and goes no further', async () => {
  const told: string[] = []
  const failed = (why: string): void => void told.push(why)
  attempt(boom, failed)
  expect(told).toEqual(['Error: boom'])
  attempt(async () => boom(), failed)
  attempt(() => Promise.reject(Object.create(null)), failed)
  await new Promise(setImmediate)
  expect(told).toEqual(['Error: boom', 'Error: boom', 'a value without text'])
})

test('a call that succeeds tells nothing', async () => {
  const told: string[] = []
  for (const result of [undefined, null, 1, {}, Promise.resolve()])
    attempt(
      () => result,
      (why) => void told.push(why),
    )
  await new Promise(setImmediate)
  expect(told).toEqual([])
})
