import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  compute,
  computeBelow,
  content,
  expectNothingHeld,
  faultyWorld,
  prompt,
  readLease,
  temporaryDirectory,
} from './world.js'

/** Time stands still, so that a deadline expires when the test says so and never by itself. */
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

const OUR_DEADLINE_MS = 30_000

test('a copy given up on keeps its target until it ends, then it still arrives; nothing is counted twice', async () => {
  await using world = await faultyWorld({ device: 4, host: 3 })
  const { manager, faults, regions } = world
  const { hashes, kept } = await compute(manager, 2)
  const hold = faults.hold({ region: regions.host, operation: 'write' })
  const outcome = expect(manager.offload(kept)).rejects.toMatchObject({ code: 'KVBM_DEADLINE' })
  await hold.reached()
  vi.advanceTimersByTime(OUR_DEADLINE_MS)
  await outcome
  expect(manager.status().transfers).toMatchObject({ running: 1, abandoned: 1 })
  expect(manager.status().edges['device-host']?.drops.deadline).toBe(2)
  // The two target blocks are nobody's, and nobody gets them.
  using rest = manager.host.allocateUpTo(3)
  expect(rest.count).toBe(1)
  expect(manager.host.scan(hashes)).toEqual(new Uint8Array(2))
  kept.release()
  hold.release()
  const next = await manager.host.acquire(2)
  next.release()
  expect(manager.status().transfers).toMatchObject({ running: 0, abandoned: 1 })
  expect(manager.status().edges['device-host']).toMatchObject({ blocks: 2, transfers: 1 })
})

test('the target of a copy that was given up on and fails is free afterwards', async () => {
  await using world = await faultyWorld({ device: 4, host: 2 })
  const { manager, faults, regions } = world
  const { kept } = await compute(manager, 2)
  const hold = faults.hold({ region: regions.host, operation: 'write' })
  faults.fail({ region: regions.host, operation: 'write', code: 'EIO' })
  const outcome = expect(manager.offload(kept)).rejects.toMatchObject({ code: 'KVBM_DEADLINE' })
  await hold.reached()
  vi.advanceTimersByTime(OUR_DEADLINE_MS)
  await outcome
  const waiting = manager.host.acquire(2)
  hold.release()
  const blocks = await waiting
  expect(blocks.count).toBe(2)
  blocks.release()
  kept.release()
  expectNothingHeld(manager)
})

test('our own deadline of a copy degrades the tier that hangs, the caller’s does not', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ host: 4, disk: { numBlocks: 4, path: dir.path } })
  const { manager, faults, regions } = world
  const { kept } = await compute(manager, 1)
  const hold = faults.hold({ region: regions.disk, operation: 'write' })
  const impatient = expect(manager.offload(kept, { deadlineMs: 5 })).rejects.toMatchObject({ code: 'KVBM_DEADLINE' })
  await hold.reached()
  vi.advanceTimersByTime(5)
  await impatient
  expect(manager.status().tiers.disk?.state).toBe('ok')
  const patient = expect(manager.offload(kept)).rejects.toMatchObject({ code: 'KVBM_DEADLINE' })
  await hold.reached()
  vi.advanceTimersByTime(OUR_DEADLINE_MS)
  await patient
  expect(manager.status().tiers.disk).toMatchObject({ state: 'degraded', reason: expect.stringContaining('30000 ms') })
  kept.release()
})

test('a wait for the copy of somebody else that hangs ends, too', async () => {
  await using world = await faultyWorld({ device: 4, host: 4 })
  const { manager, faults, regions } = world
  const { hashes } = await computeBelow(manager, 'host', 1)
  using lease = manager.match(hashes)
  const hold = faults.hold({ region: regions.device, operation: 'write' })
  const first = expect(manager.onboard(lease)).rejects.toMatchObject({ code: 'KVBM_DEADLINE' })
  const second = expect(manager.onboard(lease)).rejects.toThrow(/Waiting for another copy to device.*30000 ms/)
  await hold.reached()
  vi.advanceTimersByTime(OUR_DEADLINE_MS)
  await first
  await second
  expect(hold.waiting).toBe(1)
})

test('an abort during offload and onboard rejects with its reason and leaves nothing held', async () => {
  await using world = await faultyWorld({ device: 4, host: 4 })
  const { manager, faults, regions } = world
  const reason = new Error('the user left')
  const { hashes, kept } = await compute(manager, 2)
  for (const act of ['offload', 'onboard'] as const) {
    const controller = new AbortController()
    const region = act === 'offload' ? regions.host : regions.device
    const hold = faults.hold({ region, operation: 'write' })
    const lease = manager.match(hashes)
    const acting =
      act === 'offload'
        ? manager.offload(kept, { signal: controller.signal })
        : manager.onboard(lease, { signal: controller.signal })
    const outcome = expect(acting).rejects.toBe(reason)
    await hold.reached()
    controller.abort(reason)
    await outcome
    hold.release()
    lease.release()
    // A job that had not begun was taken back: nothing came, the next try does it all.
    const report = act === 'offload' ? await manager.offload(kept) : undefined
    expect(report?.copied ?? 2).toBe(2)
    kept.release()
    if (act === 'offload') await manager.device.resetBlocks(hashes)
  }
  expect(manager.status().edges['device-host']?.drops.cancelled).toBe(2)
  expect(manager.status().tiers).toMatchObject({ device: { state: 'ok' }, host: { state: 'ok' } })
  expectNothingHeld(manager)
})

test('a signal that is aborted already begins nothing', async () => {
  await using world = await faultyWorld({ device: 2, host: 2 })
  const { manager } = world
  const signal = AbortSignal.abort(new Error('too late'))
  const { hashes, kept } = await compute(manager, 1)
  const fresh = manager.device.allocate(1)
  using lease = manager.match(hashes)
  for (const call of [
    () => manager.write(fresh, content(1), { signal }),
    () => manager.read(kept, { signal }),
    () => manager.offload(kept, { signal }),
    () => manager.onboard(lease, { to: 'host', signal }),
    () => manager.device.acquire(1, { signal }),
    () => manager.settled({ signal }),
  ])
    await expect(call()).rejects.toThrow('too late')
  expect(manager.status().edges['device-host']?.transfers ?? 0).toBe(0)
  fresh.release()
  kept.release()
})

test('an abort during write: the blocks are not handed out before the copy has ended, whatever the caller does', async () => {
  await using world = await faultyWorld({ host: 2 })
  const { manager, faults, regions } = world
  const hold = faults.hold({ region: regions.host, operation: 'write' })
  const controller = new AbortController()
  const fresh = manager.host.allocate(2)
  const writing = manager.write(fresh, content(2, 1), { signal: controller.signal })
  const outcome = expect(writing).rejects.toThrow('enough')
  await hold.reached()
  // Held up, so not begun: it is taken back. One that hangs for good is given up on by a deadline instead.
  controller.abort(new Error('enough'))
  await outcome
  const second = expect(manager.write(fresh, content(2, 2))).rejects.toMatchObject({ code: 'KVBM_DEADLINE' })
  await hold.reached()
  vi.advanceTimersByTime(OUR_DEADLINE_MS)
  await second
  fresh.release()
  expect(manager.host.available).toBe(0)
  const waiting = manager.host.acquire(2)
  hold.release()
  const next = await waiting
  await manager.write(next, content(2, 3))
  using kept = await manager.register(next, manager.hash(prompt(2)))
  expect(Buffer.from(await manager.read(kept))).toEqual(Buffer.from(content(2, 3)))
})

test('blocks whose handle is released while they are read are not handed out until the read has ended', async () => {
  await using world = await faultyWorld({ host: 2 })
  const { manager, faults, regions } = world
  const { bytes, kept } = await compute(manager, 2)
  const hold = faults.hold({ region: regions.host, operation: 'read' })
  const reading = manager.read(kept)
  await hold.reached()
  kept.release()
  expect(manager.host.allocateUpTo(2).count).toBe(0)
  hold.release()
  expect(Buffer.from(await reading)).toEqual(Buffer.from(bytes))
  using free = manager.host.allocateUpTo(2)
  expect(free.count).toBe(2)
})

test('an abort and a deadline end a wait for blocks', async () => {
  await using world = await faultyWorld({ host: 1 })
  const { manager } = world
  using _held = manager.host.allocate(1)
  const controller = new AbortController()
  const aborted = manager.host.acquire(1, { signal: controller.signal })
  controller.abort(new Error('gone'))
  await expect(aborted).rejects.toThrow('gone')
  const expired = expect(manager.host.acquire(1, { deadlineMs: 1 })).rejects.toMatchObject({ code: 'KVBM_DEADLINE' })
  vi.advanceTimersByTime(1)
  await expired
  await expect(manager.host.acquire(2)).rejects.toMatchObject({ code: 'KVBM_POOL_EXHAUSTED' })
  expect(manager.status().tiers.host?.waiting).toBe(0)
})

test('callers that want the same block wait for one copy, and when that fails the next of them tries', async () => {
  await using world = await faultyWorld({ device: 4, host: 4 })
  const { manager, faults, regions } = world
  const { hashes, bytes } = await computeBelow(manager, 'host', 3)
  const hold = faults.hold({ region: regions.device, operation: 'write' })
  faults.fail({ region: regions.device, operation: 'write', code: 'EIO' })
  using lease = manager.match(hashes)
  const callers = [manager.onboard(lease), manager.onboard(lease), manager.onboard(lease)]
  await hold.reached()
  expect(hold.waiting).toBe(1)
  hold.release()
  const resident = await Promise.all(callers)
  // The first, whose copy failed, has what another brought, or the shorter prefix.
  expect(resident.slice(1).map(({ count }) => count)).toEqual([3, 3])
  expect([0, 3]).toContain(resident[0]!.count)
  expect(await readLease(manager, resident[2]!)).toEqual(Buffer.from(bytes))
  expect(manager.status().edges['host-device']).toMatchObject({ blocks: 3, transfers: 1 })
  for (const one of resident) one.release()
})

test('several callers that want a damaged block all end, and it is counted once', async () => {
  await using world = await faultyWorld({ device: 4, host: 4 })
  const { manager } = world
  const { hashes } = await computeBelow(manager, 'host', 3)
  using lease = manager.match(hashes)
  ;(manager.view(lease.runs[0]!.blocks, 0) as Uint8Array)[1]! ^= 1
  const resident = await Promise.all([1, 2, 3].map(() => manager.onboard(lease)))
  expect(resident.map(({ count }) => count)).toEqual([0, 0, 0])
  expect(manager.status().corrupt.host).toBe(1)
  for (const one of resident) one.release()
})

test('the caller who came first may leave: its copy is taken back, and whoever waited for it copies', async () => {
  await using world = await faultyWorld({ device: 4, host: 4 })
  const { manager, faults, regions } = world
  const { hashes, bytes } = await computeBelow(manager, 'host', 2)
  using lease = manager.match(hashes)
  const hold = faults.hold({ region: regions.device, operation: 'write' })
  const first = expect(manager.onboard(lease, { deadlineMs: 5 })).rejects.toMatchObject({ code: 'KVBM_DEADLINE' })
  const second = manager.onboard(lease)
  await hold.reached()
  vi.advanceTimersByTime(5)
  await first
  hold.release()
  using resident = await second
  expect(await readLease(manager, resident)).toEqual(Buffer.from(bytes))
  expect(manager.status().edges['host-device']).toMatchObject({ blocks: 2, transfers: 1 })
})

test.each([
  ['through host', { device: 8, host: 8 }],
  ['through staging', { device: 8 }],
])('from disk, %s, a block is read once however many want it', async (_, tiers) => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ ...tiers, disk: { numBlocks: 8, path: dir.path } })
  const { manager, faults, regions } = world
  const { hashes, bytes } = await computeBelow(manager, 'disk', 4)
  using lease = manager.match(hashes)
  expect(lease.byTier.disk).toBe(4)
  const hold = faults.hold({ region: regions.disk, operation: 'read' })
  const callers = [manager.onboard(lease), manager.onboard(lease), manager.onboard(lease)]
  await hold.reached()
  // A second reader would be held, too: it has had every turn that the first one had.
  await new Promise((resolve) => setImmediate(resolve))
  expect(hold.waiting).toBe(1)
  hold.release()
  const resident = await Promise.all(callers)
  expect(resident.map(({ count }) => count)).toEqual([4, 4, 4])
  expect(await readLease(manager, resident[1]!)).toEqual(Buffer.from(bytes))
  for (const one of resident) one.release()
})

test('callers take turns in staging that is smaller than what they want, and none is given the memory of another', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({
    disk: { numBlocks: 16, path: dir.path },
    settings: { stagingBytes: 2 * 8192 },
  })
  const { manager } = world
  const prompts = await Promise.all([1, 2, 3].map((seed) => compute(manager, 5, seed)))
  const read = await Promise.all(prompts.map(({ kept }) => manager.read(kept)))
  for (const [index, { bytes, kept }] of prompts.entries()) {
    expect(Buffer.from(read[index]!)).toEqual(Buffer.from(bytes))
    kept.release()
  }
  expectNothingHeld(manager)
})

test('staging that a hanging copy holds is not lent again, and the wait for it ends', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({
    disk: { numBlocks: 4, path: dir.path },
    settings: { stagingBytes: 8192 },
  })
  const { manager, faults, regions } = world
  const { bytes, kept } = await compute(manager, 1)
  const hold = faults.hold({ region: regions.disk, operation: 'read' })
  for (const what of [/Reading 1 blocks from disk/, /Waiting for 1 blocks/]) {
    const outcome = expect(manager.read(kept)).rejects.toThrow(what)
    await hold.reached()
    vi.advanceTimersByTime(OUR_DEADLINE_MS)
    await outcome
  }
  expect(hold.waiting).toBe(1)
  hold.release()
  expect(Buffer.from(await manager.read(kept))).toEqual(Buffer.from(bytes))
  kept.release()
})
