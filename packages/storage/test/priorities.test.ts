import { KvbmError } from '@kvbm/core'
import { IN_BACKGROUND, ON_THREADS } from '@kvbm/native'
import { expect, test } from 'vitest'
import { createTransferRuntime, type NativeTransferRuntime, wrapMemory } from '../src/index.js'
import { simulatedHardware } from '../src/testing/index.js'
import { onEachBinding } from './support/bindings.js'

const MIB = 2 ** 20

onEachBinding((makeBinding) => {
  test('a job that has not started when its deadline comes is taken back', async () => {
    await using world = setUp(makeBinding())
    const running = Array.from({ length: 8 }, () => world.runtime.submit(world.longJob))
    const late = world.runtime.submit(world.longJob, { deadlineMs: 0 })
    await expect(late).rejects.toSatisfy((error) => KvbmError.is(error, 'KVBM_DEADLINE'))
    await Promise.all(running)
    expect(world.runtime.stats()).toMatchObject({ queued: 0, running: 0, jobs: 8 })
  })

  test('a job that ends in time keeps nothing alive and is no error', async () => {
    await using world = setUp(makeBinding())
    await world.runtime.submit(world.longJob, { deadlineMs: 60_000 })
    expect(world.target[0]).toBe(7)
  })

  test('what somebody waits for goes before what nobody waits for', async () => {
    await using world = setUp(makeBinding())
    const order: string[] = []
    const submit = (priority: 'onboard' | 'offload'): Promise<void> =>
      world.runtime.submit(world.longJob, { priority }).then(() => void order.push(priority))
    await Promise.all([submit('offload'), submit('offload'), submit('offload'), submit('onboard')])
    expect(order.indexOf('onboard')).toBeLessThan(2)
  })
})

test('patience that is none and unknown priorities are refused before anything moves', async () => {
  await using world = setUp(simulatedHardware().runtime.binding)
  await expect(world.runtime.submit(world.longJob, { deadlineMs: -1 })).rejects.toThrow(/deadlineMs.*-1/)
  await expect(world.runtime.submit(world.longJob, { signal: 5 as never })).rejects.toThrow(/signal/)
  await expect(world.runtime.submit(world.longJob, { priority: 'soon' as never })).rejects.toThrow(/priority.*'soon'/)
  expect(world.target[0]).toBe(0)
})

test('small jobs run within the call until the event loop would stand still', async () => {
  const flags: number[] = []
  const { binding } = simulatedHardware().runtime
  const submit = binding.submit.bind(binding)
  binding.submit = (engine, ticket, job, given = 0) => {
    flags.push(given)
    return submit(engine, ticket, job, given)
  }
  await using world = setUp(binding)
  const runs = world.longJob.runs.slice()
  runs[4] = MIB / 4
  const jobs = Array.from({ length: 6 }, () => world.runtime.submit({ runs }))
  expect(flags).toEqual([0, 0, 0, 0, ON_THREADS, ON_THREADS])
  await Promise.all(jobs)
  await new Promise(setImmediate)
  await world.runtime.submit({ runs }, { priority: 'offload' })
  expect(flags.at(-1)).toBe(IN_BACKGROUND)
})

/** One thread of each kind, and a job that takes a while. */
function setUp(binding: NativeTransferRuntime['binding']) {
  const runtime = createTransferRuntime({ binding, threads: 1 })
  const target = new Uint8Array(16 * MIB)
  const into = wrapMemory(target, { runtime })
  const from = wrapMemory(new Uint8Array(16 * MIB).fill(7), { runtime })
  return {
    runtime,
    target,
    longJob: { runs: Float64Array.of(from.regionId, 0, into.regionId, 0, 16 * MIB) },
    async [Symbol.asyncDispose]() {
      await runtime.close()
      await into.close()
      await from.close()
    },
  }
}
