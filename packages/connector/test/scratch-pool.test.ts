import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { KvbmError, type Storage } from '@kvbm/core'
import { createTransferRuntime, defaultTransferRuntime, type NativeTransferRuntime, wrapMemory } from '@kvbm/storage'
import { expect, test } from 'vitest'
import { BlockSource } from '../src/block-source.js'
import type { HandOver } from '../src/index.js'
import { ScratchPool, type ScratchPoolOptions } from '../src/scratch-pool.js'

function makePool(options: Partial<ScratchPoolOptions> = {}) {
  const runtime = createTransferRuntime()
  const pool = new ScratchPool({ runtime, ...options })
  return {
    pool,
    runtime,
    async [Symbol.asyncDispose]() {
      await pool.close()
      await runtime.close()
    },
  }
}

/** Borrows until told to give back. */
function borrow(pool: ScratchPool, sizeBytes: number, signal?: AbortSignal) {
  let giveBack = (): void => {}
  let got: HandOver | undefined
  const done = pool.lend({ sizeBytes, file: false, signal }, async (handOver) => {
    got = handOver
    await new Promise<void>((resolve) => (giveBack = resolve))
  })
  return { done, has: () => got !== undefined, giveBack: () => giveBack() }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('a request beyond the bound is refused at once with the numbers', async () => {
  await using world = makePool({ lentBytesMax: 1000 })
  const lending = world.pool.lend({ sizeBytes: 1001, file: false }, async () => 1)
  await expect(lending).rejects.toSatisfy((error) => KvbmError.is(error, 'KVBM_STORAGE_FULL'))
  await expect(lending).rejects.toThrow(/1001 bytes.*1000 bytes/)
})

test('what does not fit beside what is lent waits, first come first served', async () => {
  await using world = makePool({ lentBytesMax: 1000 })
  const { pool } = world
  const [a, b, c] = [borrow(pool, 600), borrow(pool, 900), borrow(pool, 100)]
  await turn()
  expect([a.has(), b.has(), c.has()]).toEqual([true, false, false])
  expect(pool.status()).toMatchObject({ lent: 1, lentBytes: 600, waiting: 2 })
  a.giveBack()
  await a.done
  await turn()
  expect([b.has(), c.has()]).toEqual([true, true])
  b.giveBack()
  c.giveBack()
  await Promise.all([b.done, c.done])
  expect(pool.status()).toMatchObject({ lent: 0, lentBytes: 0, waiting: 0 })
})

test('who gives up waiting rejects with the reason and lets the next one in', async () => {
  await using world = makePool({ lentBytesMax: 1000 })
  const abort = new AbortController()
  const [a, b, c] = [borrow(world.pool, 600), borrow(world.pool, 900, abort.signal), borrow(world.pool, 100)]
  await turn()
  abort.abort(new Error('enough'))
  await expect(b.done).rejects.toThrow('enough')
  await turn()
  expect(c.has()).toBe(true)
  a.giveBack()
  c.giveBack()
  await Promise.all([a.done, c.done])
})

test('what is lent comes back when its user fails', async () => {
  await using world = makePool()
  await expect(
    world.pool.lend({ sizeBytes: 10, file: true }, async () => {
      throw new Error('user failed')
    }),
  ).rejects.toThrow('user failed')
  expect(world.pool.status().lent).toBe(0)
})

test('a file has exactly the size asked for, each time, whatever its user made of it', async () => {
  await using world = makePool()
  for (const sizeBytes of [5000, 100, 70_000]) {
    await world.pool.lend({ sizeBytes, file: true }, async ({ path, storage }) => {
      expect(readFileSync(path!).length).toBe(sizeBytes)
      expect(storage.sizeBytes).toBe(sizeBytes)
      writeFileSync(path!, 'something short')
    })
  }
})

test('the same area is lent again; a small request does not hold a large one', async () => {
  await using world = makePool()
  const region = (sizeBytes: number, file: boolean) =>
    world.pool.lend({ sizeBytes, file }, async ({ storage }) => storage.regionId)
  const file = await region(1000, true)
  expect(await region(9000, true)).toBe(file)
  const memory = await region(100_000, false)
  expect(await region(60_000, false)).toBe(memory)
  expect(await region(100, false)).not.toBe(memory)
})

test('what is idle is bounded', async () => {
  await using world = makePool({ idleBytesMax: 1000 })
  await world.pool.lend({ sizeBytes: 5000, file: false }, async () => {})
  expect(world.pool.status().idleBytes).toBe(0)
  await world.pool.lend({ sizeBytes: 500, file: false }, async () => {})
  expect(world.pool.status().idleBytes).toBeGreaterThanOrEqual(500)
})

test('what a failed copy may still write to is not lent again', async () => {
  await using world = makePool()
  const region = (fail: boolean) =>
    world.pool.lend({ sizeBytes: 1000, file: false }, async ({ storage }) => {
      if (fail) world.pool.discard(storage)
      return storage.regionId
    })
  const first = await region(false)
  expect(await region(true)).toBe(first)
  const second = await region(false)
  expect(second).not.toBe(first)
  await expect(
    world.pool.lend({ sizeBytes: 1000, file: false }, () => Promise.reject(new Error('no'))),
  ).rejects.toThrow()
  expect(await region(false)).not.toBe(second)
})

test('a gathering that fails spoils its storage, also when a driver keeps that to itself', async () => {
  await using world = makePool()
  const { pool } = world
  const gather = { count: 1, blockBytes: 10, gather: () => Promise.reject(new Error('given up')) }
  const source = new BlockSource({ gather, scratch: pool, count: 1, usable: (sound) => sound })
  const region = () => source.lend({ sizeBytes: 1000, file: false }, async ({ storage }) => storage.regionId)
  const before = await region()
  await source.lend({ sizeBytes: 1000, file: false }, ({ storage }) =>
    source.gather(new Float64Array(0), storage).catch(() => 0),
  )
  expect(await region()).not.toBe(before)
})

const { kind } = defaultTransferRuntime().binding.describe()
const isMapping = kind === 'native' && process.platform === 'linux' && existsSync('/dev/shm')
const mappedTest = isMapping ? test : test.skip
if (!isMapping) console.warn('skipped: files cannot be mapped here, which needs the native core and /dev/shm')

test('a file to be read has at least the size asked for, and what is copied there is in the file', async () => {
  await using world = makePool()
  for (const sizeBytes of [5000, 100, 70_000]) {
    await world.pool.lendToRead({ sizeBytes, file: true }, async ({ path, storage }) => {
      expect(storage.sizeBytes).toBeGreaterThanOrEqual(sizeBytes)
      const bytes = Uint8Array.from({ length: sizeBytes }, (_, index) => index % 251)
      await copyInto(world.runtime, bytes, storage)
      expect(Uint8Array.from(readFileSync(path!).subarray(0, sizeBytes))).toEqual(bytes)
    })
  }
})

mappedTest('a file to be read is memory, of a size that serves prompts of about that length again', async () => {
  await using world = makePool()
  const area = (sizeBytes: number) =>
    world.pool.lendToRead({ sizeBytes, file: true }, async ({ storage }) => {
      expect(storage.describe().facts.mapped).toBe(true)
      return storage.regionId
    })
  const first = await area(100_000)
  expect(await area(104_000)).toBe(first)
  expect(await area(60_000)).toBe(first)
  expect(await area(10_000)).not.toBe(first)
})

mappedTest('an engine that saves never gets a file that others read, and the other way round', async () => {
  await using world = makePool()
  const saved = await world.pool.lend({ sizeBytes: 100_000, file: true }, async ({ storage }) => storage.regionId)
  await world.pool.lendToRead({ sizeBytes: 100_000, file: true }, async ({ storage }) => {
    expect(storage.regionId).not.toBe(saved)
  })
  const again = await world.pool.lend({ sizeBytes: 100_000, file: true }, async ({ storage }) => storage.regionId)
  expect(again).toBe(saved)
})

mappedTest('what is prepared is what the first restore gets, and bounded', async () => {
  await using world = makePool({ idleBytesMax: 4 * 2 ** 20 })
  world.pool.prepare(2 ** 20)
  world.pool.prepare(2 ** 20)
  const found = await world.pool.lendToRead({ sizeBytes: 2 ** 20 + 1000, file: true }, async ({ storage }) => {
    // Nothing else was made for it.
    expect(world.pool.status().idleBytes).toBe(0)
    return storage.sizeBytes
  })
  expect(found).toBeLessThan(1.25 * 2 ** 20)
  world.pool.prepare(2 ** 40)
  await world.pool.lendToRead({ sizeBytes: 3 * 2 ** 20, file: true }, async ({ storage }) => {
    expect(storage.sizeBytes).toBe(4 * 2 ** 20)
  })
})

test('preparing nothing, or beside a close, leaves nothing behind', async () => {
  const world = makePool()
  world.pool.prepare(0)
  expect(world.pool.status().idleBytes).toBe(0)
  world.pool.prepare(2 ** 20)
  await world.pool.close()
  world.pool.prepare(2 ** 20)
  expect(world.pool.status().idleBytes).toBe(0)
  await world[Symbol.asyncDispose]()
})

test('where there is no room for all that is idle, what was lent last stays', async () => {
  await using world = makePool({ idleBytesMax: 100_000 })
  const region = (sizeBytes: number) =>
    world.pool.lend({ sizeBytes, file: false }, async ({ storage }) => storage.regionId)
  const small = await region(20_000)
  const large = await region(90_000)
  expect(await region(90_000)).toBe(large)
  expect(await region(20_000)).not.toBe(small)
})

async function copyInto(runtime: NativeTransferRuntime, bytes: Uint8Array, storage: Storage): Promise<void> {
  const source = wrapMemory(bytes, { runtime })
  await runtime.submit({ runs: Float64Array.of(source.regionId, 0, storage.regionId, 0, bytes.length) })
  await source.close()
}
