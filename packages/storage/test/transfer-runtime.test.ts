import { KvbmError } from '@kvbm/core'
import { expect, test } from 'vitest'
import { createTransferRuntime, defaultTransferRuntime, type NativeTransferRuntime, wrapMemory } from '../src/index.js'
import { onEachBinding, useRuntime } from './support/bindings.js'

onEachBinding((makeBinding) => {
  test('an aborted signal rejects with its reason and moves nothing', async () => {
    await using world = setUp(makeBinding)
    const reason = new Error('changed my mind')
    await expect(world.runtime.submit(world.job, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect([...world.target]).toEqual([0, 0, 0, 0])
    expect(world.runtime.stats()).toEqual({ queued: 0, running: 0, jobs: 0, bytes: 0 })
  })

  test('a finished job is counted with its bytes', async () => {
    await using world = setUp(makeBinding)
    await world.runtime.submit(world.job, { signal: new AbortController().signal })
    expect([...world.target]).toEqual([1, 2, 3, 4])
    expect(world.runtime.stats()).toEqual({ queued: 0, running: 0, jobs: 1, bytes: 4 })
  })

  test('aborting after the end changes nothing', async () => {
    await using world = setUp(makeBinding)
    const controller = new AbortController()
    await world.runtime.submit(world.job, { signal: controller.signal })
    controller.abort()
    expect([...world.target]).toEqual([1, 2, 3, 4])
  })

  test('checksums go where the job says', async () => {
    await using world = setUp(makeBinding)
    const into = new Uint32Array(1)
    const pieces = Float64Array.of(0, world.job.runs[0]!, 0, 4)
    await world.runtime.submit({ ...world.job, sums: { pieces, into, when: 'before' } })
    expect(into[0]).toBe(world.runtime.binding.crc32c(Uint8Array.of(1, 2, 3, 4)))
  })

  test('a job that names a region that is none is a RangeError', async () => {
    await using world = setUp(makeBinding)
    await expect(world.runtime.submit({ runs: Float64Array.of(999_999_999, 0, 1, 0, 1) })).rejects.toThrow(RangeError)
  })

  test('after close everything rejects with KVBM_CLOSED, and closing again is nothing', async () => {
    await using world = setUp(makeBinding)
    await Promise.all([world.runtime.close(), world.runtime.close()])
    await expect(world.runtime.submit(world.job)).rejects.toSatisfy((error) => KvbmError.is(error, 'KVBM_CLOSED'))
  })
})

test('the default runtime is one per process until it is closed', async () => {
  const first = defaultTransferRuntime()
  expect(defaultTransferRuntime()).toBe(first)
  await first.close()
  expect(defaultTransferRuntime()).not.toBe(first)
  await defaultTransferRuntime().close()
})

test('numbers of threads and jobs below one are RangeErrors', () => {
  expect(() => createTransferRuntime({ threads: 0 })).toThrow(/threads/)
  expect(() => createTransferRuntime({ jobsMax: 0 })).toThrow(/jobsMax/)
})

function setUp(makeBinding: () => NativeTransferRuntime['binding']) {
  const runtime = useRuntime(makeBinding())
  const target = new Uint8Array(4)
  const into = wrapMemory(target, { runtime })
  const from = wrapMemory(Uint8Array.of(1, 2, 3, 4), { runtime })
  return {
    runtime,
    target,
    job: { runs: Float64Array.of(from.regionId, 0, into.regionId, 0, 4) },
    async [Symbol.asyncDispose]() {
      await into.close()
      await from.close()
      await runtime.close()
    },
  }
}
