import { statSync } from 'node:fs'
import { KvbmError } from '@kvbm/core'
import { expect, test } from 'vitest'
import { createTransferRuntime, defaultTransferRuntime, type NativeTransferRuntime, wrapMemory } from '../src/index.js'
import { onEachBinding, useRuntime } from './support/bindings.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

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

  test('a queued job is taken back with the reason of its signal, the running one before it is finished', async () => {
    await using world = await withLongJob(makeBinding)
    const controller = new AbortController()
    const reason = new Error('changed my mind')
    const running = world.runtime.submit(world.longJob)
    const queued = world.runtime.submit(world.longJob, { signal: controller.signal })
    expect(world.runtime.stats()).toMatchObject({ queued: 1, running: 1 })
    controller.abort(reason)
    await expect(queued).rejects.toBe(reason)
    await running
    expect(world.runtime.stats()).toEqual({ queued: 0, running: 0, jobs: 1, bytes: LONG_BYTES })
  })

  test('a running job is finished although its signal is aborted', async () => {
    await using world = await withLongJob(makeBinding)
    const controller = new AbortController()
    const running = world.runtime.submit(world.longJob, { signal: controller.signal })
    await world.begun()
    controller.abort()
    await running
    expect(statSync(world.path).size).toBe(LONG_BYTES)
  })

  test('closing takes queued jobs back and awaits the running one', async () => {
    await using world = await withLongJob(makeBinding)
    const running = world.runtime.submit(world.longJob)
    const queued = world.runtime.submit(world.longJob)
    await world.begun()
    const closed = world.runtime.close()
    await expect(queued).rejects.toSatisfy((error) => KvbmError.is(error, 'KVBM_CLOSED'))
    await running
    await closed
    expect(statSync(world.path).size).toBe(LONG_BYTES)
  })

  test('a job beyond the bound is refused at once, and there is room again afterwards', async () => {
    await using world = await withLongJob(makeBinding, { jobsMax: 1 })
    const running = world.runtime.submit(world.longJob)
    await expect(world.runtime.submit(world.longJob)).rejects.toThrow(/1 jobs are queued or running.*jobsMax/)
    await running
    await world.runtime.submit(world.longJob)
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

const LONG_BYTES = 64 * 2 ** 20

/** One thread, and a job that keeps it busy for some time: writing a large file. */
async function withLongJob(makeBinding: () => NativeTransferRuntime['binding'], options: { jobsMax?: number } = {}) {
  const runtime = createTransferRuntime({ binding: makeBinding(), threads: 1, ...options })
  const directory = new TemporaryDirectory()
  const path = directory.at('long.bin')
  const file = await runtime.binding.openFile({ path, write: true, create: true, direct: false })
  const memory = wrapMemory(new Uint8Array(LONG_BYTES), { runtime })
  return {
    runtime,
    path,
    longJob: { runs: Float64Array.of(memory.regionId, 0, file.id, 0, LONG_BYTES) },
    /** The file's first bytes are there. */
    async begun() {
      while (statSync(path).size === 0) await new Promise(setImmediate)
    },
    async [Symbol.asyncDispose]() {
      await runtime.close()
      await memory.close()
      runtime.binding.closeRegion(file.id)
      directory[Symbol.dispose]()
    },
  }
}

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
