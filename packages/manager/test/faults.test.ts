import { cpSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { ManagerEvent } from '../src/index.js'
import {
  BLOCK_BYTES,
  compute,
  computeBelow,
  content,
  expectNothingHeld,
  faultyWorld,
  openManager,
  prompt,
  readLease,
  temporaryDirectory,
} from './world.js'

test('a copy that fails registers nothing, frees its target, and the same blocks can be copied afterwards', async () => {
  await using world = await faultyWorld({ device: 4, host: 4 })
  const { manager, faults, regions } = world
  const { hashes, bytes, kept } = await compute(manager, 3)
  faults.fail({ region: regions.host, operation: 'write', code: 'EIO' })
  const report = await manager.offload(kept)
  expect(report).toMatchObject({ offered: 3, copied: 0, present: 0, dropped: { 'io-error': 3 }, bytes: 0 })
  expect(report.failure).toMatchObject({ code: 'KVBM_STORAGE_IO' })
  expect(manager.host.scan(hashes)).toEqual(new Uint8Array(3))
  expect(manager.host.available).toBe(4)
  expect(manager.status().transfers.abandoned).toBe(0)

  expect(await manager.offload(kept)).toMatchObject({ copied: 3, dropped: {} })
  using lease = manager.host.match(hashes)
  expect(Buffer.from(await manager.read(lease))).toEqual(Buffer.from(bytes))
  kept.release()
})

test('while the bytes of a slot are overwritten its old name is gone from disk already, whenever the process dies', async () => {
  using dir = temporaryDirectory()
  using death = temporaryDirectory()
  const disk = { numBlocks: 2, path: dir.path }
  await using world = await faultyWorld({ host: 4, disk })
  const { manager, faults, regions } = world
  const old = await computeBelow(manager, 'disk', 2, 1)
  const { kept } = await compute(manager, 2, 2)
  const atBytes = faults.hold({ region: regions.disk, operation: 'write' })
  const offloading = manager.offload(kept, { to: 'disk' })
  await atBytes.reached()
  cpSync(dir.path, death.path, { recursive: true })
  atBytes.release()
  expect((await offloading).copied).toBe(2)
  kept.release()
  await using after = await openManager({ host: 4, disk: { ...disk, path: death.path } })
  expect([...after.disk.scan(old.hashes)]).toEqual([0, 0])
})

test('a copy that is cut short registers nothing', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ host: 4, disk: { numBlocks: 4, path: dir.path } })
  const { manager, faults, regions } = world
  const { hashes, kept } = await compute(manager, 2)
  faults.cutShort({ region: regions.disk, operation: 'write', bytes: BLOCK_BYTES + 17 })
  expect(await manager.offload(kept)).toMatchObject({ copied: 0, dropped: { 'io-error': 2 } })
  expect(manager.disk.scan(hashes)).toEqual(new Uint8Array(2))
  kept.release()
  expectNothingHeld(manager)
})

test('a full disk degrades its tier in status, event, metric and log; the manager keeps running, and space makes it well', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ host: 4, disk: { numBlocks: 4, path: dir.path } })
  const { manager, faults, log } = world
  const states: ManagerEvent[] = []
  manager.onEvent((event) => event.type === 'tier-state' && states.push(event))
  const { hashes, kept } = await compute(manager, 2)
  faults.fail({ operation: 'reserve', code: 'ENOSPC', times: 2 })
  expect((await manager.offload(kept)).failure).toMatchObject({ code: 'KVBM_STORAGE_FULL' })
  expect((await manager.offload(kept)).dropped).toEqual({ 'io-error': 2 })
  const degraded = manager.status().tiers.disk
  expect(degraded).toMatchObject({ state: 'degraded', reason: expect.stringMatching(/^writing: .*ENOSPC/) })
  expect(manager.status().edges['host-disk']?.drops['io-error']).toBe(4)
  using lease = manager.match(hashes)
  expect(lease.byTier.host).toBe(2)

  expect(await manager.offload(kept)).toMatchObject({ copied: 2 })
  const well = manager.status().tiers.disk
  expect(well).toMatchObject({ state: 'ok', reason: '', lastError: expect.stringContaining('ENOSPC') })
  expect(states).toMatchObject([
    { tier: 'disk', state: 'degraded', reason: degraded?.reason },
    { tier: 'disk', state: 'ok', reason: '' },
  ])
  expect(log.filter((line) => line.includes('degraded'))).toEqual([expect.stringMatching(/^warn: .*disk tier.*ENOSPC/)])
  expect(log).toContain('info: The disk tier works again.')
  kept.release()
})

test('a disk that reads but cannot write stays degraded while it is read', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ host: 8, disk: { numBlocks: 8, path: dir.path } })
  const { manager, faults, regions } = world
  const below = await computeBelow(manager, 'disk', 2, 1)
  const { kept } = await compute(manager, 2, 2)
  faults.fail({ region: regions.disk, operation: 'write', code: 'EIO' })
  await manager.offload(kept)
  using lease = manager.match(below.hashes)
  using resident = await manager.onboard(lease)
  expect(resident.count).toBe(2)
  expect(manager.status().tiers.disk?.state).toBe('degraded')
  await manager.offload(kept)
  expect(manager.status().tiers.disk?.state).toBe('ok')
  kept.release()
})

test('a record that cannot be written leaves the block without a name, and its slot free', async () => {
  using dir = temporaryDirectory()
  const disk = { numBlocks: 4, path: dir.path }
  {
    await using world = await faultyWorld({ host: 4, disk })
    const { manager, faults } = world
    const { hashes, kept } = await compute(manager, 2)
    // The first write is that of the blocks, the second that of their records.
    faults.fail({ operation: 'write', after: 1, code: 'EIO' })
    expect(await manager.offload(kept)).toMatchObject({ copied: 0, dropped: { 'io-error': 2 } })
    expect(faults.injected).toBe(1)
    expect(manager.disk.scan(hashes)).toEqual(new Uint8Array(2))
    expect(manager.status().tiers.disk).toMatchObject({ state: 'degraded', blocks: { free: 4 } })
    kept.release()
  }
  await using again = await faultyWorld({ host: 4, disk })
  expect(again.manager.status().tiers.disk?.blocks.free).toBe(4)
})

test('a disk that cannot be read gives the shorter prefix, says so, and serves again when it can', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({
    host: 8,
    disk: { numBlocks: 8, path: dir.path },
    settings: { transferBatchMax: 2 },
  })
  const { manager, faults, regions } = world
  const { hashes, bytes } = await computeBelow(manager, 'disk', 5)
  using lease = manager.match(hashes)
  expect(lease.byTier.disk).toBe(5)
  faults.fail({ region: regions.disk, operation: 'read', code: 'EIO', after: 1 })
  {
    using resident = await manager.onboard(lease)
    expect(resident.count).toBe(2)
    expect(await readLease(manager, resident)).toEqual(Buffer.from(bytes.subarray(0, 2 * BLOCK_BYTES)))
  }
  expect(manager.status().tiers.disk).toMatchObject({ state: 'degraded', reason: expect.stringMatching(/^reading: /) })
  expect(manager.status().corrupt.disk).toBe(0)
  using resident = await manager.onboard(lease)
  expect(resident.count).toBe(5)
  expect(manager.status().tiers.disk?.state).toBe('ok')
})

test.each([
  ['through host', { device: 4, host: 4 }],
  ['through staging', { device: 4 }],
])('a bit that arrives wrong from disk, %s, is a miss: counted once, announced once, quarantined', async (_, tiers) => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ ...tiers, disk: { numBlocks: 4, path: dir.path } })
  const { manager, faults, regions, log } = world
  const { hashes, bytes } = await computeBelow(manager, 'disk', 3)
  const corrupt: ManagerEvent[] = []
  manager.onEvent((event) => event.type === 'corrupt' && corrupt.push(event))
  faults.flipBit({ region: regions.disk, operation: 'read', bit: (BLOCK_BYTES + 5) * 8 + 3 })
  using lease = manager.match(hashes)
  using resident = await manager.onboard(lease)
  expect(resident.count).toBe(1)
  expect(await readLease(manager, resident)).toEqual(Buffer.from(bytes.subarray(0, BLOCK_BYTES)))
  {
    // The lease still holds the damaged block: whoever asks for it gets the same answer, and it is the same incident.
    using again = await manager.onboard(lease)
    expect(again.count).toBe(1)
  }
  const { corrupt: counts, tiers: status } = manager.status()
  expect(counts).toEqual({ device: 0, host: 0, disk: 1 })
  expect(corrupt).toHaveLength(1)
  expect(corrupt[0]).toMatchObject({ tier: 'disk' })
  expect(corrupt[0]?.type === 'corrupt' && corrupt[0].hashes.hex(0)).toBe(hashes.hex(1))
  expect(log.filter((line) => line.includes('damaged block'))).toHaveLength(1)
  expect(status.disk?.state).toBe('ok')
  lease.release()
  resident.release()
  expect(manager.status().tiers.disk?.blocks.quarantined).toBe(1)
  expectNothingHeld(manager)
})

test('a damaged block in memory is refused by read, by offload and by onboard, and others behind it are offloaded', async () => {
  await using world = await faultyWorld({ device: 8, host: 8 })
  const { manager } = world
  const { hashes, kept } = await compute(manager, 4)
  expect(await manager.offload(kept)).toMatchObject({ copied: 4 })
  await manager.host.resetBlocks(hashes)
  ;(manager.view(kept, 1) as Uint8Array)[7]! ^= 4
  expect(await manager.offload(kept)).toMatchObject({ copied: 3, dropped: { corrupt: 1 } })
  expect([...manager.host.scan(hashes)]).toEqual([1, 0, 1, 1])
  expect((await manager.read(kept)).length).toBe(BLOCK_BYTES)
  expect(manager.status().corrupt).toEqual({ device: 1, host: 0, disk: 0 })
  using lease = manager.match(hashes)
  expect(lease.count).toBe(1)
  kept.release()
  expect(manager.status().tiers.device?.blocks.quarantined).toBe(1)
})

test('a block that rots in host is not brought up', async () => {
  await using world = await faultyWorld({ device: 4, host: 4 })
  const { manager } = world
  const { hashes } = await computeBelow(manager, 'host', 3)
  {
    using inHost = manager.host.match(hashes)
    ;(manager.view(inHost, 2) as Uint8Array)[BLOCK_BYTES - 1]! ^= 128
  }
  using lease = manager.match(hashes)
  using resident = await manager.onboard(lease)
  expect(resident.count).toBe(2)
  expect(manager.device.scan(hashes)).toEqual(Uint8Array.of(1, 1, 0))
  expect(manager.status().corrupt.host).toBe(1)
})

test('a device that is lost degrades its tier, and the tiers below go on', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ device: 4, host: 4, disk: { numBlocks: 4, path: dir.path } })
  const { manager, faults, regions } = world
  const { hashes, bytes } = await computeBelow(manager, 'host', 3)
  faults.lose(regions.device)
  using lease = manager.match(hashes)
  using none = await manager.onboard(lease)
  expect(none.count).toBe(0)
  const { device, host } = manager.status().tiers
  expect([device?.state, host?.state]).toEqual(['degraded', 'ok'])
  expect(device?.reason).toMatch(/^writing: .*lost/)
  expect(await readLease(manager, lease)).toEqual(Buffer.from(bytes))
  const fresh = manager.device.allocate(1)
  await expect(manager.write(fresh, content(1))).rejects.toMatchObject({ code: 'KVBM_STORAGE_IO' })
  fresh.release()
  faults.clear()
  using resident = await manager.onboard(lease)
  expect(resident.count).toBe(3)
  expect(manager.status().tiers.device?.state).toBe('ok')
})

test('what was verified in staging and changes on its way to the device is a failure, not a block', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ device: 4, disk: { numBlocks: 4, path: dir.path } })
  const { manager, faults, regions } = world
  const { hashes } = await computeBelow(manager, 'disk', 2)
  faults.flipBit({ region: regions.device, operation: 'write' })
  using lease = manager.match(hashes)
  using none = await manager.onboard(lease)
  expect(none.count).toBe(0)
  expect(manager.status().corrupt).toEqual({ device: 0, host: 0, disk: 0 })
  const { device, disk } = manager.status().tiers
  expect([device?.state, disk?.state]).toEqual(['degraded', 'ok'])
  expect(device?.reason).toMatch(/^writing: .*not what was copied there/)
  expect(manager.device.available).toBe(4)
})

test('write and register of a disk-only manager report a failing disk, and succeed when it works again', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ disk: { numBlocks: 4, path: dir.path } })
  const { manager, faults } = world
  const hashes = manager.hash(prompt(2))
  const fresh = manager.disk.allocate(2)
  faults.fail({ operation: 'reserve', code: 'ENOSPC' })
  await expect(manager.write(fresh, content(2))).rejects.toMatchObject({ code: 'KVBM_STORAGE_FULL' })
  expect(manager.status().tiers.disk?.state).toBe('degraded')
  await expect(manager.register(fresh, hashes)).rejects.toThrow(/was not written/)
  await manager.write(fresh, content(2))
  expect(manager.status().tiers.disk?.state).toBe('ok')
  faults.fail({ operation: 'write', code: 'EIO' })
  await expect(manager.register(fresh, hashes)).rejects.toMatchObject({ code: 'KVBM_STORAGE_IO' })
  expect(manager.status().tiers.disk?.state).toBe('degraded')
  const kept = await manager.register(fresh, hashes)
  expect(Buffer.from(await manager.read(kept))).toEqual(Buffer.from(content(2)))
  kept.release()
  expectNothingHeld(manager)
})

test('a failed rewrite of a disk block cannot be registered as what was there before', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ disk: { numBlocks: 2, path: dir.path } })
  const { manager, faults, regions } = world
  const fresh = manager.disk.allocate(1)
  await manager.write(fresh, content(1, 1))
  faults.cutShort({ region: regions.disk, operation: 'write', bytes: 100 })
  await expect(manager.write(fresh, content(1, 2))).rejects.toMatchObject({ code: 'KVBM_STORAGE_IO' })
  await expect(manager.register(fresh, manager.hash(prompt(1)))).rejects.toThrow(/was not written/)
  fresh.release()
})

test('reading a failing disk rejects, because the caller asked for these very bytes', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ host: 4, disk: { numBlocks: 4, path: dir.path } })
  const { manager, faults, regions } = world
  const { hashes, bytes } = await computeBelow(manager, 'disk', 2)
  using blocks = manager.disk.match(hashes)
  faults.fail({ region: regions.disk, operation: 'read', code: 'EIO' })
  await expect(manager.read(blocks)).rejects.toMatchObject({ code: 'KVBM_STORAGE_IO' })
  expect(manager.status().tiers.disk?.state).toBe('degraded')
  expect(Buffer.from(await manager.read(blocks))).toEqual(Buffer.from(bytes))
})

test('background offload outlives a failing disk: what failed and what came meanwhile is counted, what comes later is copied', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({
    host: 8,
    disk: { numBlocks: 8, path: dir.path },
    more: { hostLayout: { numBlocks: 8 } },
    settings: { probeDelayMs: 3_600_000, probeDelayMaxMs: 3_600_000 },
  })
  const { manager, faults } = world
  faults.fail({ operation: 'reserve', code: 'ENOSPC' })
  const first = await compute(manager, 2, 1)
  await manager.settled()
  const second = await compute(manager, 2, 2)
  await manager.settled()
  expect(await manager.offload(second.kept)).toMatchObject({ copied: 2 })
  const third = await compute(manager, 2, 3)
  await manager.settled()
  const edge = manager.status().edges['host-disk']
  expect(edge).toMatchObject({ blocks: 4, queued: 0, running: 0, drops: { 'io-error': 2, degraded: 2 } })
  expect(manager.status().tiers.disk?.state).toBe('ok')
  for (const { kept } of [first, second, third]) kept.release()
  expectNothingHeld(manager)
})
