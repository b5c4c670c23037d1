import { expect, test } from 'vitest'
import { BLOCK_BYTES, compute, openManager, temporaryDirectory } from './world.js'

test('what was written under its names is matched and read back, byte for byte', async () => {
  await using manager = await openManager({ host: 16 })
  const { hashes, bytes, kept } = await compute(manager, 5)
  kept.release()
  using lease = manager.match(hashes)
  expect(lease.count).toBe(5)
  expect(lease.byTier).toEqual({ device: 0, host: 5, disk: 0 })
  expect(await manager.read(lease.runs[0]!.blocks)).toEqual(bytes)
})

test('registered blocks are copied down the tiers by themselves', async () => {
  using dir = temporaryDirectory()
  await using manager = await openManager({ device: 8, host: 8, disk: { numBlocks: 16, path: dir.path } })
  const { hashes, kept } = await compute(manager, 6)
  await manager.settled()
  expect(manager.host.scan(hashes)).toEqual(new Uint8Array(6).fill(1))
  expect(manager.disk.scan(hashes)).toEqual(new Uint8Array(6).fill(1))
  const { edges } = manager.status()
  expect(edges['device-host']?.blocks).toBe(6)
  expect(edges['host-disk']?.blocks).toBe(6)
  kept.release()
})

test('a filter decides what goes down, and what it refuses is counted', async () => {
  const offloadFilter = { shouldOffload: (_hashes: unknown, index: number) => index % 2 === 0 }
  await using manager = await openManager({
    more: { deviceLayout: { numBlocks: 8, offloadFilter }, hostLayout: { numBlocks: 8 } },
  })
  const { hashes, kept } = await compute(manager, 4)
  await manager.settled()
  expect([...manager.host.scan(hashes)]).toEqual([1, 0, 1, 0])
  expect(manager.status().edges['device-host']?.drops.filtered).toBe(2)
  kept.release()
})

test('offload on demand reports what it copied and what was there (cases 78, 82)', async () => {
  using dir = temporaryDirectory()
  const offloadFilter = { shouldOffload: () => false }
  await using manager = await openManager({
    more: {
      hostLayout: { numBlocks: 8, offloadFilter },
      diskLayout: { numBlocks: 8, allocator: { kind: 'disk', path: dir.path } },
    },
  })
  const { kept } = await compute(manager, 4)
  expect(await manager.offload(kept, { to: 'disk' })).toMatchObject({
    to: 'disk',
    offered: 4,
    copied: 4,
    present: 0,
    bytes: 4 * BLOCK_BYTES,
  })
  expect(await manager.offload(kept)).toMatchObject({ copied: 0, present: 4 })
  kept.release()
})

test('evicted from above, a prompt comes back from the tier below (case 82)', async () => {
  using dir = temporaryDirectory()
  await using manager = await openManager({ device: 4, host: 8, disk: { numBlocks: 32, path: dir.path } })
  const first = await compute(manager, 4, 1)
  first.kept.release()
  await manager.settled()
  for (const seed of [2, 3, 4]) {
    const other = await compute(manager, 4, seed)
    other.kept.release()
    await manager.settled()
  }
  using lease = manager.match(first.hashes)
  expect(lease.byTier).toEqual({ device: 0, host: 0, disk: 4 })
  using resident = await manager.onboard(lease)
  expect(resident.byTier).toEqual({ device: 4, host: 0, disk: 0 })
  const read = await Promise.all(resident.runs.map((run) => manager.read(run.blocks)))
  expect(Buffer.concat(read)).toEqual(Buffer.from(first.bytes))
  expect(manager.host.scan(first.hashes)).toEqual(new Uint8Array(4).fill(1))
})

test('from disk to device without room in the host tier the blocks pass through staging', async () => {
  using dir = temporaryDirectory()
  await using manager = await openManager({
    device: 4,
    host: 4,
    disk: { numBlocks: 32, path: dir.path },
    settings: { stagingBytes: 3 * BLOCK_BYTES },
  })
  const first = await compute(manager, 4, 1)
  first.kept.release()
  await manager.settled()
  const second = await compute(manager, 4, 2)
  second.kept.release()
  await manager.settled()
  using heldInHost = manager.host.match(second.hashes)
  expect(heldInHost.count).toBe(4)
  using lease = manager.match(first.hashes)
  expect(lease.byTier.disk).toBe(4)
  using resident = await manager.onboard(lease)
  expect(resident.byTier.device).toBe(4)
  expect(manager.host.scan(first.hashes)).toEqual(new Uint8Array(4))
  expect(Buffer.concat(await Promise.all(resident.runs.map((run) => manager.read(run.blocks))))).toEqual(
    Buffer.from(first.bytes),
  )
})

test('no free place below is a counted drop, and a later try succeeds (case 80)', async () => {
  const offloadFilter = { shouldOffload: () => false }
  await using manager = await openManager({
    more: { deviceLayout: { numBlocks: 8, offloadFilter }, hostLayout: { numBlocks: 2 } },
  })
  const held = manager.host.allocate(2)
  const { kept } = await compute(manager, 2)
  expect(await manager.offload(kept)).toMatchObject({ copied: 0, dropped: { 'target-full': 2 } })
  held.release()
  expect(await manager.offload(kept)).toMatchObject({ copied: 2, dropped: {} })
  kept.release()
})

test('a disk-only manager writes, names and reads through staging', async () => {
  using dir = temporaryDirectory()
  await using manager = await openManager({
    disk: { numBlocks: 8, path: dir.path },
    settings: { stagingBytes: 2 * BLOCK_BYTES },
  })
  const { hashes, bytes, kept } = await compute(manager, 5)
  expect(await manager.read(kept)).toEqual(bytes)
  kept.release()
  using lease = manager.match(hashes)
  expect(lease.byTier.disk).toBe(5)
})
