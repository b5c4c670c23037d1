import { expect, test } from 'vitest'
import { DiskTier, MEMORY_BYTES } from '../src/disk/disk-tier.js'
import { amountOf, type FioReport } from '../src/disk/fio.js'
import { scattered } from '../src/scattered.js'
import { temporaryDirectory } from '../src/temporary-directory.js'

const MIB = 2 ** 20

test('a shuffled order has each number once, and another seed gives another one', () => {
  expect([...scattered(1000)].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, index) => index))
  expect(scattered(1000, 2)).not.toEqual(scattered(1000, 1))
})

test.each(['overwrite', 'first-write', 'read'] as const)('a round of %s moves its bytes', async (access) => {
  await using directory = await temporaryDirectory()
  const work = { blockBytes: 128 * 1024, access, fileBytes: 64 * MIB, roundBytes: MEMORY_BYTES }
  const tier = await DiskTier.create(directory.path, work)
  try {
    const { amount, ms } = await tier.run()
    expect(amount).toBe(MEMORY_BYTES)
    expect(ms).toBeGreaterThan(0)
  } finally {
    await tier.close()
  }
})

test("fio's own clock counts, and its share of a CPU becomes time", () => {
  const idle = { io_bytes: 0, runtime: 0 }
  const job = { usr_cpu: 10, sys_cpu: 40, job_runtime: 600, read: { io_bytes: 1e9, runtime: 500 }, write: idle }
  const report: FioReport = { jobs: [job] }
  expect(amountOf(report)).toEqual({ amount: 1e9, ms: 500, cpuMs: 300 })
})
