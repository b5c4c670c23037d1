import { expect, test } from 'vitest'
import { counted, world } from './world.js'

test('blocks that are being filled get no name and are not split; afterwards they can be', () => {
  using here = world(2)
  const blocks = here.pool.allocate(2)
  const end = blocks.fill()
  const transitions = [
    () => blocks.register(counted(2)),
    () => blocks.complete(counted(2)),
    () => blocks.split(1),
  ] as const
  for (const transition of transitions) expect(transition).toThrow(/still writes to these 2 blocks.*release them/)
  here.pool.checkInvariants()
  end()
  blocks.register(counted(2)).release()
  expect(here.pool.inactive).toBe(2)
})

test('the filling is over when the last of several has ended, each of them once', async () => {
  using here = world(1)
  const blocks = here.pool.allocate(1)
  expect(blocks.filling).toBeUndefined()
  const [first, second] = [blocks.fill(), blocks.fill()]
  let isOver = false
  const over = blocks.filling?.then(() => {
    isOver = true
  })
  first()
  first()
  await Promise.resolve()
  expect(isOver).toBe(false)
  expect(blocks.filling).toBeDefined()
  second()
  expect(blocks.filling).toBeUndefined()
  await over
  expect(isOver).toBe(true)
})

test('an end that is told twice does not end the next filling', () => {
  using here = world(1)
  const blocks = here.pool.allocate(1)
  const first = blocks.fill()
  first()
  const second = blocks.fill()
  first()
  expect(() => blocks.register(counted(1))).toThrow(RangeError)
  second()
  blocks.release()
  expect(here.pool.free).toBe(1)
})

test('blocks released while they are being filled are not handed out before that has ended', () => {
  using here = world(2)
  const blocks = here.pool.allocate(2)
  const end = blocks.fill()
  blocks.release()
  expect(here.pool.available).toBe(0)
  expect(() => blocks.filling).toThrow(expect.objectContaining({ code: 'KVBM_BLOCK_CONSUMED' }))
  expect(() => blocks.fill()).toThrow(expect.objectContaining({ code: 'KVBM_BLOCK_CONSUMED' }))
  end()
  expect(here.pool.free).toBe(2)
})
