import assert from 'node:assert/strict'
import type { CaseTable } from '../conformance-case.js'
import { assertRangeError, assertSameBytes, assertThrowsRangeError, jobOf, pattern } from '../conformance-world.js'

const BYTES = 8 * 2 ** 20

export const closeCases: CaseTable = {
  'closing a region again, or one that never was, does nothing': (world) => {
    const region = world.memory(64)
    world.binding.closeRegion(region)
    world.binding.closeRegion(region)
    world.binding.closeRegion(1_000_000)
  },

  'everything about a closed region is a RangeError': async (world) => {
    const [region, other] = [world.memory(64), world.memory(64)]
    world.binding.closeRegion(region)
    assertThrowsRangeError(() => world.binding.alignmentOffset(region, 1))
    assertThrowsRangeError(() => world.binding.windowOf(region, 0))
    await assertRangeError(() => world.binding.commitMemory(region, 0, 1, false))
    await assertRangeError(() => world.submit([[region, 0, other, 0, 1]]))
    await assertRangeError(() => world.submit([[other, 0, region, 0, 1]]))
  },

  'memory that closes while it is committed goes after that, and the commit succeeds': async (world) => {
    const region = world.memory(BYTES)
    const committing = world.binding.commitMemory(region, 0, BYTES, false)
    world.binding.closeRegion(region)
    assert.equal((await committing).locked, 'touched')
    await assertRangeError(() => world.binding.commitMemory(region, 0, 1, false))
  },

  'everything about a closed file is a RangeError': async (world) => {
    const file = await world.file(pattern(64))
    world.binding.closeRegion(file)
    await assertRangeError(() => world.binding.readFile(file, 0, 1))
    await assertRangeError(() => world.binding.writeFile(file, 0, pattern(1)))
    await assertRangeError(() => world.binding.reserveFile(file, 0, 1))
    await assertRangeError(() => world.binding.syncFile(file))
    await assertRangeError(() => world.binding.mapFile(file, 64))
    await assertRangeError(() => world.binding.readSlots(file, 0, 1))
  },

  'memory that a job uses outlives its closing; its windows are detached in the end': async (world) => {
    const [source, target, into] = [world.memory(BYTES), world.memory(BYTES), new Uint8Array(BYTES)]
    const view = new Uint8Array(world.binding.windowOf(source, 0))
    view.set(pattern(BYTES))
    const engine = world.engine(1)
    const first = world.binding.submit(engine, 1, jobOf([[source, 0, target, 0, BYTES]]))
    const second = world.binding.submit(engine, 2, jobOf([[target, 0, world.adopt(into), 0, BYTES]]))
    world.binding.closeRegion(source)
    world.binding.closeRegion(target)
    await Promise.all([first, second])
    assertSameBytes(into, pattern(BYTES))
    assert.equal(view.byteLength, 0)
  },

  'closing an engine waits for its jobs': async (world) => {
    const [source, engine] = [world.adopt(pattern(BYTES)), world.engine(1)]
    const targets = [1, 2, 3].map(() => new Uint8Array(BYTES))
    const jobs = targets.map((into, ticket) =>
      world.binding.submit(engine, ticket, jobOf([[source, 0, world.adopt(into), 0, BYTES]])),
    )
    await world.binding.closeEngine(engine)
    for (const into of targets) assertSameBytes(into, pattern(BYTES))
    await Promise.all(jobs)
  },

  'closing an engine twice, also at the same time, is fine': async (world) => {
    const engine = world.engine(2)
    await Promise.all([world.binding.closeEngine(engine), world.binding.closeEngine(engine)])
    await world.binding.closeEngine(engine)
  },

  'a closed engine takes no job': async (world) => {
    const engine = world.engine(2)
    const closing = world.binding.closeEngine(engine)
    await assertRangeError(() => world.binding.submit(engine, 1, jobOf([])))
    await closing
    await assertRangeError(() => world.binding.submit(engine, 2, jobOf([])))
  },

  'engines and regions are independent: one closes, the other works on': async (world) => {
    const [a, b, region] = [world.engine(1), world.engine(1), world.adopt(pattern(100))]
    const into = new Uint8Array(100)
    await world.binding.closeEngine(a)
    await world.binding.submit(b, 1, jobOf([[region, 0, world.adopt(into), 0, 100]]))
    assertSameBytes(into, pattern(100))
  },
}
