import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKvCache } from '@kvbm/connector'
import { MemoryDriver, MemoryEngine } from '@kvbm/connector/testing'
import { afterEach, expect, test } from 'vitest'
import { wrapDrivers } from '../src/engine/wrap-drivers.js'
import { blockNames } from '../src/soak/block-names.js'
import { Journal, judge } from '../src/soak/journal.js'
import { memoryGrowth } from '../src/soak/memory-growth.js'
import { differenceOf } from '../src/soak/recompute.js'
import { TappedDriver } from '../src/soak/tapped-driver.js'

const path = join(tmpdir(), `kvbm-journal-${process.pid}`)
afterEach(() => rmSync(path, { force: true }))

const [A, B] = ['a'.repeat(64), 'b'.repeat(64)]

test('bytes that nobody had captured before are wrong, also those of another prefix; half a line says nothing', () => {
  const lines = [`captured x ${A}`, `restored x ${A}`, `restored x ${B}`, `restored y ${A}`, `captured x ${B}`]
  writeFileSync(path, [...lines, `restored x ${B}`, `restored x ${B.slice(0, 9)}`].join('\n'))
  expect(judge(path)).toEqual({ captured: 2, names: 1, restored: 4, wrong: 2 })
})

test('a journal of what was captured and restored alike has no wrong byte', () => {
  const journal = new Journal(path)
  journal.captured('x', Buffer.from('bytes'))
  journal.restored('x', Buffer.from('bytes'))
  expect(judge(path)).toEqual({ captured: 1, names: 1, restored: 1, wrong: 0 })
  journal.restored('x', Buffer.from('other'))
  expect(judge(path).wrong).toBe(1)
})

test('a block is named by its whole prefix', () => {
  const names = blockNames(Uint32Array.of(1, 2, 3, 4, 5), 2)
  expect(names).toHaveLength(2)
  expect(blockNames(Uint32Array.of(1, 2, 3, 4), 2)).toEqual(names)
  const [first, second] = blockNames(Uint32Array.of(9, 2, 3, 4), 2)
  expect(first).not.toBe(names[0])
  expect(second).not.toBe(names[1])
})

test('memory that grows while warming up does not count, later growth does', () => {
  expect(memoryGrowth([1, 50, 80, 90, 100, 100, 100, 100])).toBe(0)
  expect(memoryGrowth([90, 90, 90, 90, 100, 100, 110, 110])).toBeCloseTo(10)
  expect(() => memoryGrowth([1, 2, 3])).toThrow('expected at least 4, got 3')
})

test('the difference of two blocks is relative, over F16 values', () => {
  const f16 = (...bits: number[]): Buffer => Buffer.from(Uint16Array.from(bits).buffer)
  expect(differenceOf(f16(0x3c00, 0xbc00), f16(0x3c00, 0xbc00))).toBe(0)
  // 1.5 and 2 for 1 and 2: 0.5 ÷ √5.
  expect(differenceOf(f16(0x3e00, 0x4000), f16(0x3c00, 0x4000))).toBeCloseTo(0.5 / Math.sqrt(5))
})

test('bytes are seen on both ways, and they are the same', async () => {
  const seen = { captured: new Map<string, string>(), restored: new Map<string, string>() }
  const tap = {
    wants: (name: string) => name !== unwanted,
    captured: (name: string, bytes: Buffer) => void seen.captured.set(name, bytes.toString('hex')),
    restored: (name: string, bytes: Buffer) => void seen.restored.set(name, bytes.toString('hex')),
  }
  const tokens = Uint32Array.from({ length: 100 }, (_, index) => index % 50)
  const [unwanted] = blockNames(tokens, 16)
  await using kv = await openKvCache({ host: '16MiB' })
  wrapDrivers(kv, (driver) => new TappedDriver(driver, tap))
  const engine = new MemoryEngine()
  const connector = kv.connect(new MemoryDriver(engine, { through: 'file' }))
  await connector.ready()
  const ask = async () => {
    const session = connector.open(tokens)
    const slot = engine.slot()
    const { tokens: loaded } = await session.load(slot)
    await engine.evaluate(slot, tokens.subarray(loaded))
    session.capture({ tokens: slot.tokens }, slot)
    await session.finish()
    await connector.settled()
    return loaded
  }
  expect(await ask()).toBe(0)
  expect(await ask()).toBe(96)
  expect([...seen.captured.keys()]).toEqual(blockNames(tokens, 16).slice(1))
  expect(new Set(seen.captured.values()).size).toBe(5)
  expect(seen.restored).toEqual(seen.captured)
})
