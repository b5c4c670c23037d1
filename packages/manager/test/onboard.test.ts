import { expect, test } from 'vitest'
import {
  BLOCK_BYTES,
  compute,
  computeBelow,
  expectNothingHeld,
  faultyWorld,
  openManager,
  poolOf,
  readLease,
  temporaryDirectory,
} from './world.js'

test('from host to device: registered there, equal bytes, matchable there, still in host (case 81)', async () => {
  await using world = await faultyWorld({ device: 4, host: 4 })
  const { manager } = world
  const { hashes, bytes } = await computeBelow(manager, 'host', 3)
  using lease = manager.match(hashes)
  using resident = await manager.onboard(lease)
  expect(await readLease(manager, resident)).toEqual(Buffer.from(bytes))
  using again = manager.match(hashes)
  expect(again.byTier).toEqual({ device: 3, host: 0, disk: 0 })
  expect(manager.host.scan(hashes)).toEqual(Uint8Array.of(1, 1, 1))
})

test('8 blocks from disk by way of host to device (case 86), kept in host; the edges know blocks, bytes and seconds', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ device: 8, host: 8, disk: { numBlocks: 8, path: dir.path } })
  const { manager } = world
  const { hashes, bytes } = await computeBelow(manager, 'disk', 8)
  using lease = manager.match(hashes)
  using resident = await manager.onboard(lease)
  expect(resident.byTier).toEqual({ device: 8, host: 0, disk: 0 })
  expect(resident.tokens).toBe(32)
  expect(await readLease(manager, resident)).toEqual(Buffer.from(bytes))
  expect(manager.host.scan(hashes)).toEqual(new Uint8Array(8).fill(1))
  for (const edge of ['disk-host', 'host-device'] as const) {
    expect(manager.status().edges[edge]).toMatchObject({ blocks: 8, bytes: 8 * BLOCK_BYTES, transfers: 1 })
    expect(manager.status().edges[edge]!.seconds).toBeGreaterThan(0)
  }
})

test('through staging the edge is disk to device, with its bytes', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({
    device: 8,
    disk: { numBlocks: 8, path: dir.path },
    settings: { stagingBytes: 3 * BLOCK_BYTES },
  })
  const { manager } = world
  const { hashes, bytes } = await computeBelow(manager, 'disk', 8)
  using lease = manager.match(hashes)
  using resident = await manager.onboard(lease)
  expect(await readLease(manager, resident)).toEqual(Buffer.from(bytes))
  expect(manager.status().edges['disk-device']).toMatchObject({ blocks: 8, bytes: 8 * BLOCK_BYTES, transfers: 3 })
})

test('a lease over three tiers comes up in prompt order', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ device: 8, host: 8, disk: { numBlocks: 8, path: dir.path } })
  const { manager } = world
  const { hashes, bytes, kept } = await compute(manager, 6)
  await manager.offload(kept, { to: 'host' })
  await manager.offload(kept, { to: 'disk' })
  kept.release()
  await manager.device.resetBlocks(hashes.subarray(2))
  await manager.host.resetBlocks(hashes.subarray(4))
  using lease = manager.match(hashes)
  expect(lease.runs.map(({ tier, blocks }) => [tier, blocks.count])).toEqual([
    ['device', 2],
    ['host', 2],
    ['disk', 2],
  ])
  using resident = await manager.onboard(lease)
  expect(resident.byTier.device).toBe(6)
  expect(await readLease(manager, resident)).toEqual(Buffer.from(bytes))
})

test('blocks that are missing in the middle end the match, and what is behind them is not brought up', async () => {
  await using world = await faultyWorld({ device: 8, host: 8 })
  const { manager } = world
  const { hashes } = await computeBelow(manager, 'host', 4)
  await manager.host.resetBlocks(hashes.subarray(2, 3))
  using lease = manager.match(hashes)
  expect(lease.count).toBe(2)
  expect(manager.status()).toMatchObject({ requested: 4, matched: { device: 0, host: 2, disk: 0 } })
})

test('a full device gives the shorter prefix, reads nothing in vain, and nobody is refused (case 83)', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ device: 4, host: 8, disk: { numBlocks: 8, path: dir.path } })
  const { manager } = world
  const { hashes, bytes } = await computeBelow(manager, 'disk', 4)
  using lease = manager.match(hashes)
  {
    using _all = manager.device.allocate(4)
    using none = await manager.onboard(lease)
    expect(none.count).toBe(0)
    expect(manager.status().edges['disk-host']).toBeUndefined()
  }
  using _some = manager.device.allocate(3)
  using resident = await manager.onboard(lease)
  expect(resident.count).toBe(1)
  expect(await readLease(manager, resident)).toEqual(Buffer.from(bytes.subarray(0, BLOCK_BYTES)))
})

test('what a lease pins is not evicted, and it may be released while it is brought up', async () => {
  await using world = await faultyWorld({ device: 4, host: 2 })
  const { manager, faults, regions } = world
  const { hashes, bytes } = await computeBelow(manager, 'host', 2)
  const lease = manager.match(hashes)
  expect(manager.host.available).toBe(0)
  const hold = faults.hold({ region: regions.device, operation: 'write' })
  const onboarding = manager.onboard(lease)
  await hold.reached()
  lease.release()
  lease.release()
  expect(manager.host.available).toBe(0)
  hold.release()
  using resident = await onboarding
  expect(manager.host.available).toBe(2)
  expect(await readLease(manager, resident)).toEqual(Buffer.from(bytes))
  await expect(manager.onboard(lease)).rejects.toMatchObject({ code: 'KVBM_BLOCK_CONSUMED' })
})

test('what is resident already is held a second time, without a copy', async () => {
  await using world = await faultyWorld({ device: 4, host: 4 })
  const { manager } = world
  const { hashes, kept } = await compute(manager, 2)
  const lease = manager.match(hashes)
  const resident = await manager.onboard(lease)
  kept.release()
  lease.release()
  expect(poolOf(manager, 'device').held).toBe(2)
  resident.release()
  expect(manager.status().edges['host-device']).toBeUndefined()
  expectNothingHeld(manager)
})

test('up to host only; to disk nothing is brought up', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ device: 4, host: 4, disk: { numBlocks: 4, path: dir.path } })
  const { manager } = world
  const { hashes, bytes } = await computeBelow(manager, 'disk', 2)
  using lease = manager.match(hashes)
  using resident = await manager.onboard(lease, { to: 'host' })
  expect(resident.byTier.host).toBe(2)
  expect(await readLease(manager, resident)).toEqual(Buffer.from(bytes))
  expect(manager.device.scan(hashes)).toEqual(new Uint8Array(2))
  await expect(manager.onboard(lease, { to: 'disk' })).rejects.toThrow(/nothing is brought up to the disk tier/)
})

test('a lease of another manager is refused: its block numbers mean other blocks here', async () => {
  await using one = await openManager({ device: 2, host: 2 })
  await using other = await openManager({ device: 2, host: 2 })
  const { hashes, kept } = await compute(other, 1)
  using lease = other.match(hashes)
  await expect(one.onboard(lease, { to: 'host' })).rejects.toThrow('do not belong to this manager')
  expect(() => one.view(kept, 0)).toThrow('do not belong to this manager')
  kept.release()
})

test('an empty lease comes up empty', async () => {
  await using manager = await openManager({ device: 1, host: 1 })
  using lease = manager.match(manager.hash([1, 2, 3]))
  expect([lease.count, lease.tokens]).toEqual([0, 0])
  using resident = await manager.onboard(lease)
  expect(resident.runs).toEqual([])
})

test('blocks that come back from host are verified by what they were in the device', async () => {
  await using world = await faultyWorld({ device: 4, host: 4 })
  const { manager, faults, regions } = world
  // The device lies while it is copied from: its block is known by what was read first.
  const { hashes, kept } = await compute(manager, 2)
  faults.flipBit({ region: regions.host, operation: 'write', bit: 9 })
  expect(await manager.offload(kept)).toMatchObject({ copied: 2 })
  kept.release()
  await manager.device.resetBlocks(hashes)
  using lease = manager.match(hashes)
  using resident = await manager.onboard(lease)
  expect(resident.count).toBe(0)
  expect(manager.status().corrupt.host).toBe(1)
})
