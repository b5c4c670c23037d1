import { expect, test } from 'vitest'
import type { Registrar } from '../src/index.js'
import { counted, world } from './world.js'

const registrar: Registrar = { remedy: 'Ask the clerk.' }

test('handles of a pool with a registrar give no names, say who does, and stay valid', () => {
  using here = world(2, { registrar })
  const blocks = here.pool.allocate(2)
  const stranger = { remedy: registrar.remedy }
  for (const [by, name] of [
    ['register', () => blocks.register(counted(2))],
    ['register', () => blocks.register(counted(2), { registrar: stranger })],
    ['complete', () => blocks.complete(counted(2))],
  ] as const)
    expect(name).toThrow(new TypeError(`${by}(): handles of this pool do not give names by themselves. Ask the clerk.`))
  expect([here.pool.matchCount(counted(2)), here.log]).toEqual([0, []])
  blocks.release()
  expect(here.pool.free).toBe(2)
})

test('the registrar gives names, under the same rules as everybody elsewhere', () => {
  using here = world(2, { registrar })
  const blocks = here.pool.allocate(2)
  expect(() => blocks.register(counted(1), { registrar })).toThrow(RangeError)
  blocks.register(counted(2), { registrar }).release()
  expect([here.pool.matchCount(counted(2)), here.log]).toEqual([2, ['+1,2']])
  expect(() => blocks.register(counted(2), { registrar })).toThrow(
    expect.objectContaining({ code: 'KVBM_BLOCK_CONSUMED' }),
  )
})
