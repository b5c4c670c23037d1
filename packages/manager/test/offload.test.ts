import type { BlockHashes } from '@kvbm/core'
import { expect, test } from 'vitest'
import {
  BLOCK_BYTES,
  compute,
  computeBelow,
  content,
  expectNothingHeld,
  faultyWorld,
  NONE,
  openManager,
  poolOf,
  prompt,
  temporaryDirectory,
} from './world.js'

test('blocks without names cannot be offloaded (case 77), nor blocks of somebody else', async () => {
  await using manager = await openManager({ device: 2, host: 2 })
  await using other = await openManager({ device: 2, host: 2 })
  using fresh = manager.device.allocate(1)
  await expect(manager.offload(fresh as never)).rejects.toThrow(/offload: these blocks have no names yet/)
  const { kept } = await compute(other, 1)
  for (const call of [() => manager.offload(kept), () => manager.offload(undefined as never)])
    await expect(call()).rejects.toThrow('These blocks do not belong to this manager')
  kept.release()
  await expect(other.offload(kept)).rejects.toMatchObject({ code: 'KVBM_BLOCK_CONSUMED' })
})

test('past a tier in between: device to disk, and host stays empty (case 79)', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ device: 4, host: 4, disk: { numBlocks: 4, path: dir.path } })
  const { manager } = world
  const { hashes, bytes, kept } = await compute(manager, 3)
  expect(await manager.offload(kept, { to: 'disk' })).toMatchObject({ to: 'disk', copied: 3 })
  expect(manager.host.scan(hashes)).toEqual(new Uint8Array(3))
  using below = manager.disk.match(hashes)
  expect(Buffer.from(await manager.read(below))).toEqual(Buffer.from(bytes))
  expect(manager.status().edges['device-disk']).toMatchObject({ blocks: 3, bytes: 3 * BLOCK_BYTES, transfers: 1 })
  kept.release()
})

test('without a tier below, registering offers nothing and an explicit offload says which tiers there are (case 84)', async () => {
  await using manager = await openManager({ host: 2 })
  const { kept } = await compute(manager, 1)
  await manager.settled()
  expect(manager.status().edges).toEqual({})
  await expect(manager.offload(kept)).rejects.toThrow(/no tier below host. This manager has: host/)
  await expect(manager.offload(kept, { to: 'disk' })).rejects.toThrow(/no disk tier/)
  await expect(manager.offload(kept, { to: 'device' })).rejects.toThrow(/device is not below host/)
  kept.release()
})

test('2 × 16 + 1 blocks in copies of 16 arrive complete and in order (case 87)', async () => {
  await using world = await faultyWorld({ device: 40, host: 40, settings: { transferBatchMax: 16 } })
  const { manager } = world
  const { hashes, bytes, kept } = await compute(manager, 33)
  expect(await manager.offload(kept)).toMatchObject({ offered: 33, copied: 33, bytes: 33 * BLOCK_BYTES })
  expect(manager.status().edges['device-host']?.transfers).toBe(3)
  using below = manager.host.match(hashes)
  expect(Buffer.from(await manager.read(below))).toEqual(Buffer.from(bytes))
  kept.release()
})

test('a block that is below already is not copied twice (case 88), and becomes recent there', async () => {
  await using world = await faultyWorld({ device: 8, host: 4 })
  const { manager } = world
  const first = await compute(manager, 2, 1)
  await manager.offload(first.kept)
  const second = await compute(manager, 2, 2)
  await manager.offload(second.kept)
  expect(await manager.offload(first.kept)).toMatchObject({ copied: 0, present: 2, bytes: 0 })
  expect(poolOf(manager, 'host').stats().registrations).toBe(4)
  using _taken = manager.host.allocate(2)
  expect(manager.host.scan(first.hashes)).toEqual(Uint8Array.of(1, 1))
  expect(manager.host.scan(second.hashes)).toEqual(Uint8Array.of(0, 0))
  first.kept.release()
  second.kept.release()
})

test('a run that is longer than its target keeps the head, the rest is dropped as it has no place', async () => {
  await using world = await faultyWorld({ device: 8, host: 3, settings: { transferBatchMax: 2 } })
  const { manager } = world
  const { hashes, kept } = await compute(manager, 7)
  expect(await manager.offload(kept)).toMatchObject({ copied: 3, dropped: { 'target-full': 4 } })
  expect([...manager.host.scan(hashes)]).toEqual([1, 1, 1, 0, 0, 0, 0])
  kept.release()
  expectNothingHeld(manager)
})

test('the queue is bounded: what does not fit is dropped from the tail and counted', async () => {
  await using world = await faultyWorld({
    host: 32,
    more: { deviceLayout: { numBlocks: 32 } },
    settings: { offloadQueueMax: 4, offloadConcurrency: 1, transferBatchMax: 2 },
  })
  const { manager, faults, regions } = world
  const hold = faults.hold({ region: regions.host, operation: 'write' })
  const first = await compute(manager, 10, 1)
  await hold.reached()
  expect(manager.status().edges['device-host']).toMatchObject({ queued: 2, running: 1, drops: { 'queue-full': 6 } })
  const second = await compute(manager, 3, 2)
  expect(manager.backlog).toBe(4)
  expect(manager.status().edges['device-host']?.drops['queue-full']).toBe(7)
  hold.release()
  await manager.settled()
  expect([...manager.host.scan(first.hashes)]).toEqual([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
  expect([...manager.host.scan(second.hashes)]).toEqual([1, 1, 0])
  first.kept.release()
  second.kept.release()
})

test('what waits in the queue pins nothing: blocks that go meanwhile are counted as gone', async () => {
  await using world = await faultyWorld({
    host: 32,
    more: { deviceLayout: { numBlocks: 4 } },
    settings: { offloadConcurrency: 1, transferBatchMax: 1 },
  })
  const { manager, faults, regions } = world
  const hold = faults.hold({ region: regions.host, operation: 'write' })
  const { hashes, kept } = await compute(manager, 4)
  await hold.reached()
  kept.release()
  using taken = manager.device.allocate(3)
  expect(taken.count).toBe(3)
  hold.release()
  await manager.settled()
  expect(manager.status().edges['device-host']).toMatchObject({ blocks: 1, drops: { 'source-gone': 3 } })
  expect([...manager.host.scan(hashes)]).toEqual([1, 0, 0, 0])
})

test('background offload never waits for a place', async () => {
  await using manager = await openManager({ device: 4, host: 2 })
  using held = manager.host.allocate(2)
  const { kept } = await compute(manager, 3)
  await manager.settled()
  expect(manager.status().edges['device-host']).toMatchObject({ blocks: 0, drops: { 'target-full': 3 } })
  expect(held.count).toBe(2)
  kept.release()
})

test('a filter that throws refuses the block, and is reported once', async () => {
  await using world = await faultyWorld({
    host: 4,
    more: {
      deviceLayout: {
        numBlocks: 4,
        offloadFilter: {
          shouldOffload: (_: unknown, index: number, edge: object) => {
            if (index === 1) throw new Error(`no idea about ${JSON.stringify(edge)}`)
            return true
          },
        },
      },
    },
  })
  const { manager, log } = world
  const first = await compute(manager, 2, 1)
  const second = await compute(manager, 2, 2)
  await manager.settled()
  expect(manager.status().edges['device-host']).toMatchObject({ blocks: 2, drops: { filtered: 2 } })
  expect(log.filter((line) => line.startsWith('error'))).toEqual([
    expect.stringMatching(/offload filter of device failed .*no idea about {"from":"device","to":"host"}/),
  ])
  first.kept.release()
  second.kept.release()
})

test.each([
  ['a promise that says yes', async () => true, 'a promise'],
  [
    'a promise that rejects, which ends no process',
    async () => {
      throw new Error('no idea')
    },
    'a promise',
  ],
  ['nothing', () => undefined, 'undefined'],
  ['a number', () => 1, 'number'],
])('a filter that answers %s refuses the block, and is reported once', async (_, shouldOffload, answer) => {
  await using world = await faultyWorld({
    host: 4,
    more: { deviceLayout: { numBlocks: 4, offloadFilter: { shouldOffload } } },
  })
  const { manager, log } = world
  const { kept } = await compute(manager, 2)
  await manager.settled()
  kept.release()
  expect(manager.status().edges['device-host']).toMatchObject({ blocks: 0, drops: { filtered: 2 } })
  expect(log.filter((line) => line.startsWith('error'))).toEqual([
    `error: The offload filter of device failed and so refused a block: shouldOffload: expected true or false at once, got ${answer}`,
  ])
})

test('a listener that calls the manager in the middle of everything gets true answers', async () => {
  await using manager = await openManager({ device: 4, host: 8 })
  const seen: number[] = []
  manager.onEvent((event) => {
    if (event.type !== 'stored') return
    using lease = manager.match(event.hashes)
    seen.push(lease.count)
  })
  for (const seed of [1, 2, 3]) {
    const { kept } = await compute(manager, 2, seed)
    kept.release()
    await manager.settled()
  }
  expect(seen).toEqual(new Array(6).fill(2))
  expectNothingHeld(manager)
})

test('with integrity off nothing is judged in memory, and what goes to disk has its checksum all the same', async () => {
  using dir = temporaryDirectory()
  const disk = { numBlocks: 4, path: dir.path }
  const first = await openManager({ device: 4, host: 4, disk, more: { integrity: false } })
  const { hashes, bytes, kept } = await compute(first, 3)
  await first.settled()
  for (const tier of ['host', 'disk'] as const) {
    using blocks = first[tier].match(hashes)
    expect(Buffer.from(await first.read(blocks))).toEqual(Buffer.from(bytes))
  }
  ;(first.view(kept, 0) as Uint8Array)[0]! ^= 1
  expect((await first.read(kept)).length).toBe(3 * BLOCK_BYTES)
  expect(first.status().corrupt).toEqual({ device: 0, host: 0, disk: 0 })
  kept.release()
  await first.close()

  await using second = await openManager({ host: 4, disk })
  using lease = second.match(hashes)
  using resident = await second.onboard(lease)
  expect(resident.count).toBe(3)
  expect(second.status().corrupt.disk).toBe(0)
})

test('reset forgets a tier for good, and refuses while blocks are held (cases 93 to 95)', async () => {
  using dir = temporaryDirectory()
  const disk = { numBlocks: 8, path: dir.path }
  const first = await openManager({ more: { hostLayout: { numBlocks: 8, offloadFilter: NONE } }, disk })
  const { hashes, kept } = await compute(first, 3)
  await first.offload(kept)
  expect(first.status().tiers.host?.blocks).toMatchObject({ held: 3, inactive: 0 })
  await expect(first.host.reset()).rejects.toThrow(/3 of 8 blocks are held/)
  const unknown = first.hash(prompt(1, 77))
  expect(await first.host.resetBlocks(hashes.subarray(0, 1))).toEqual({ reset: 0, notFound: 0, held: 1 })
  expect(await first.host.resetBlocks(unknown)).toEqual({ reset: 0, notFound: 1, held: 0 })
  kept.release()
  expect(first.status().tiers.host?.blocks).toMatchObject({ held: 0, inactive: 3 })
  expect(await first.disk.resetBlocks(hashes.subarray(2))).toEqual({ reset: 1, notFound: 0, held: 0 })
  await first.close()

  const second = await openManager({ host: 8, disk })
  expect([...second.disk.scan(hashes)]).toEqual([1, 1, 0])
  await second.disk.reset()
  expect(second.status().tiers.disk?.blocks).toMatchObject({ inactive: 0, free: 8 })
  const again = await compute(second, 2, 5)
  await second.settled()
  again.kept.release()
  await second.close()

  await using third = await openManager({ host: 8, disk })
  expect([...third.disk.scan(hashes)]).toEqual([0, 0, 0])
  expect([...third.disk.scan(again.hashes)]).toEqual([1, 1])
})

test('offload and onboard that cross each other in full tiers all end, and serve true bytes', async () => {
  using dir = temporaryDirectory()
  await using manager = await openManager({
    device: 4,
    host: 4,
    disk: { numBlocks: 64, path: dir.path },
    settings: { stagingBytes: 2 * BLOCK_BYTES, offloadConcurrency: 2, transferBatchMax: 2 },
  })
  const cached = async (seed: number, hashes: BlockHashes): Promise<number> => {
    using lease = manager.match(hashes)
    using resident = await manager.onboard(lease)
    for (const { blocks } of resident.runs) {
      const at = blocks.hashes.start * BLOCK_BYTES
      const expected = content(3, seed).subarray(at, at + blocks.count * BLOCK_BYTES)
      expect(Buffer.compare(await manager.read(blocks), expected)).toBe(0)
    }
    return resident.count
  }
  const serve = async (seed: number): Promise<void> => {
    const hashes = manager.hash(prompt(3, seed))
    const at = Math.min(await cached(seed, hashes), 2)
    const fresh = await manager.device.acquire(1)
    await manager.write(fresh, content(3, seed).subarray(at * BLOCK_BYTES, (at + 1) * BLOCK_BYTES))
    using _named = fresh.register(hashes.subarray(at, at + 1))
  }
  for (let round = 0; round < 6; round++) await Promise.all([1, 2, 3, 4, 5].map(serve))
  await manager.settled()
  expect(manager.status().corrupt).toEqual({ device: 0, host: 0, disk: 0 })
  expectNothingHeld(manager)
})

test('copies between any two tiers have the bytes of the first, whatever memory they are (case 91)', async () => {
  using dir = temporaryDirectory()
  const kinds = [{ kind: 'pinned' }, { kind: 'system' }] as const
  for (const [index, allocator] of kinds.entries()) {
    await using manager = await openManager({
      more: {
        deviceLayout: { numBlocks: 4, allocator: { kind: 'device', device: 'cpu' }, offloadFilter: NONE },
        hostLayout: { numBlocks: 4, allocator, offloadFilter: NONE },
        diskLayout: { numBlocks: 4, allocator: { kind: 'disk', path: `${dir.path}/${index}` } },
      },
    })
    const edges: string[] = []
    for (const to of ['host', 'disk'] as const) {
      const { hashes, bytes } = await computeBelow(manager, to, 2, edges.length + 1)
      using lease = manager.match(hashes)
      expect(lease.byTier[to]).toBe(2)
      using resident = await manager.onboard(lease)
      expect(Buffer.from(await manager.read(resident.runs[0]!.blocks))).toEqual(Buffer.from(bytes))
      edges.push(to)
    }
    expect(Object.keys(manager.status().edges).sort()).toEqual(
      ['device-disk', 'device-host', 'disk-host', 'host-device', 'host-disk'].sort(),
    )
  }
})
