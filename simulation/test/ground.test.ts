import { lstat } from 'node:fs/promises'
import { SimulatedMachine } from '@kvbm/native/testing'
import { expect, test } from 'vitest'
import { layGround, ROOT, runOn } from '../src/ground.js'

test('clock, timers, random numbers and files are those of the machine for whoever runs on it, and for nobody else', async () => {
  const [timeout, now, random] = [setTimeout, Date.now, Math.random]
  {
    using _ground = layGround()
    const machine = new SimulatedMachine({ seed: 1 })
    machine.disk.makeDirectory(ROOT)
    const program = runOn(machine.start(), async () => {
      const began = Date.now()
      await new Promise((resolve) => setTimeout(resolve, 3_600_000))
      return { hours: (Date.now() - began) / 3_600_000, isDirectory: (await lstat(ROOT)).isDirectory() }
    })
    expect(await machine.until(program)).toMatchObject({ hours: 1, isDirectory: true })
    await expect(lstat(ROOT)).rejects.toMatchObject({ code: 'ENOENT' })
    expect(Date.now()).toBeGreaterThan(1e12)
  }
  expect([setTimeout, Date.now, Math.random]).toEqual([timeout, now, random])
})

test('random numbers of a machine follow from its seed', () => {
  using _ground = layGround()
  const draw = (seed: number) => runOn(new SimulatedMachine({ seed }).start(), () => Math.random())
  expect(draw(1)).toBe(draw(1))
  expect(draw(1)).not.toBe(draw(2))
})
