import { expect, test } from 'vitest'
import type { Manager } from '../src/index.js'
import { compute, content, faultyWorld, openManager, prompt, temporaryDirectory } from './world.js'

const NUM_BLOCKS = 2

async function offloaded(manager: Manager) {
  const { hashes, kept } = await compute(manager, 1)
  await manager.settled()
  kept.release()
  return hashes
}

/** Every slot is handed out once; nothing is written, so the records stay. */
const evictAll = (manager: Manager): void => manager.disk.allocate(NUM_BLOCKS).release()

const reopened = async (path: string) => {
  await using manager = await openManager({ disk: { numBlocks: NUM_BLOCKS, path } })
  return [...manager.disk.scan(manager.hash(prompt(1)))]
}

test('a block that was evicted, cached again and reset is gone for later processes, too', async () => {
  using dir = temporaryDirectory()
  const manager = await openManager({ host: 1, disk: { numBlocks: NUM_BLOCKS, path: dir.path } })
  const hashes = await offloaded(manager)
  evictAll(manager)
  await manager.host.resetBlocks(hashes)
  await offloaded(manager)
  expect(await manager.disk.resetBlocks(hashes)).toEqual({ reset: 1, notFound: 0, held: 0 })
  await manager.close()
  expect(await reopened(dir.path)).toEqual([0])
})

test('a block that was evicted is reset, too: its record would be found again', async () => {
  using dir = temporaryDirectory()
  const manager = await openManager({ host: 1, disk: { numBlocks: NUM_BLOCKS, path: dir.path } })
  const hashes = await offloaded(manager)
  evictAll(manager)
  expect(await manager.disk.resetBlocks(hashes)).toEqual({ reset: 0, notFound: 1, held: 0 })
  await manager.close()
  expect(await reopened(dir.path)).toEqual([0])
})

test('so is one whose records an earlier process left', async () => {
  using dir = temporaryDirectory()
  const disk = { numBlocks: NUM_BLOCKS, path: dir.path }
  const first = await openManager({ host: 1, disk })
  const hashes = await offloaded(first)
  evictAll(first)
  await first.host.resetBlocks(hashes)
  await offloaded(first)
  await first.close()
  const second = await openManager({ disk })
  expect(await second.disk.resetBlocks(hashes)).toMatchObject({ reset: 1 })
  await second.close()
  expect(await reopened(dir.path)).toEqual([0])
})

test('so is the block that came second where duplicates are rejected', async () => {
  using dir = temporaryDirectory()
  const diskLayout = { numBlocks: NUM_BLOCKS, duplicates: 'reject', allocator: { kind: 'disk', path: dir.path } }
  const manager = await openManager({ more: { diskLayout } })
  const hashes = manager.hash(prompt(1))
  for (const fresh of [manager.disk.allocate(1), manager.disk.allocate(1)]) {
    await manager.write(fresh, content(1))
    ;(await manager.register(fresh, hashes)).release()
  }
  expect(await manager.disk.resetBlocks(hashes)).toMatchObject({ reset: 1 })
  await manager.close()
  expect(await reopened(dir.path)).toEqual([0])
})

test('a block that is held keeps its record, and so does whatever else was written over one that is reset', async () => {
  using dir = temporaryDirectory()
  const disk = { numBlocks: 1, path: dir.path }
  const manager = await openManager({ host: 2, disk })
  const old = await offloaded(manager)
  const { hashes, kept } = await compute(manager, 1, 2)
  await manager.settled()
  kept.release()
  using held = manager.disk.match(hashes)
  expect(await manager.disk.resetBlocks(hashes)).toEqual({ reset: 0, notFound: 0, held: 1 })
  expect(await manager.disk.resetBlocks(old)).toMatchObject({ notFound: 1 })
  held.release()
  await manager.close()
  await using after = await openManager({ disk })
  expect([...after.disk.scan(hashes)]).toEqual([1])
})

test('resetting an old name while its slot is written anew leaves the new block its record', async () => {
  using dir = temporaryDirectory()
  const disk = { numBlocks: 1, path: dir.path }
  const world = await faultyWorld({ disk })
  const { manager, faults } = world
  const old = manager.hash(prompt(1, 1))
  const hashes = manager.hash(prompt(1, 2))
  const first = manager.disk.allocate(1)
  await manager.write(first, content(1, 1))
  ;(await manager.register(first, old)).release()
  const fresh = manager.disk.allocate(1)
  await manager.write(fresh, content(1, 2))
  const hold = faults.hold({ operation: 'write' })
  const registering = manager.register(fresh, hashes)
  await hold.reached()
  await manager.disk.resetBlocks(old)
  hold.release()
  ;(await registering).release()
  await world[Symbol.asyncDispose]()
  await using after = await openManager({ disk })
  expect([...after.disk.scan(hashes)]).toEqual([1])
})
