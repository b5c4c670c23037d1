import assert from 'node:assert/strict'
import type { CaseTable } from '../conformance-case.js'
import {
  assertSameBytes,
  assertThrowsRangeError,
  type ConformanceWorld,
  hasCode,
  jobOf,
  pattern,
} from '../conformance-world.js'

const BYTES = 8 * 2 ** 20

export const cancelCases: CaseTable = {
  'a job that waits is taken back: it rejects and its target stays as it was': async (world) => {
    const { engine, submit, targets } = crowd(world)
    const jobs = targets.map((_, index) => submit(index))
    const last = targets.length - 1
    assert.equal(world.binding.cancel(engine, last), true)
    await assert.rejects(jobs[last]!, hasCode('KVBM_CANCELLED'))
    await Promise.all(jobs.slice(0, last))
    assertSameBytes(targets[0]!, pattern(BYTES))
    assertSameBytes(targets[last]!, new Uint8Array(BYTES))
  },

  'a cancelled job is gone: cancelling it again does nothing, and the others go on': async (world) => {
    const { engine, submit, targets } = crowd(world)
    const jobs = targets.map((_, index) => submit(index))
    const taken = targets.map((_, index) => world.binding.cancel(engine, index))
    assert.deepEqual(targets.map((_, index) => world.binding.cancel(engine, index)).includes(true), false)
    const results = await Promise.allSettled(jobs)
    assert.deepEqual(
      results.map(({ status }) => status === 'rejected'),
      taken,
    )
    for (const [index, { status }] of results.entries()) {
      assertSameBytes(targets[index]!, status === 'fulfilled' ? pattern(BYTES) : new Uint8Array(BYTES))
    }
  },

  'a job that is done, or never was, cannot be cancelled': async (world) => {
    const engine = world.engine(1)
    await world.binding.submit(engine, 5, jobOf([]))
    assert.equal(world.binding.cancel(engine, 5), false)
    assert.equal(world.binding.cancel(engine, 6), false)
  },

  'cancelling on an unknown engine is a RangeError': ({ binding }) => {
    assertThrowsRangeError(() => binding.cancel(1_000_000, 1))
  },
}

/** More work than one thread can do while this goes on. */
function crowd(world: ConformanceWorld): {
  engine: number
  submit: (index: number) => Promise<void>
  targets: Uint8Array[]
} {
  const engine = world.engine(1)
  const source = world.adopt(pattern(BYTES))
  const targets = Array.from({ length: 6 }, () => new Uint8Array(BYTES))
  const regions = targets.map((bytes) => world.adopt(bytes))
  const submit = (index: number): Promise<void> =>
    world.binding.submit(engine, index, jobOf([[source, 0, regions[index]!, 0, BYTES]]))
  return { engine, submit, targets }
}
