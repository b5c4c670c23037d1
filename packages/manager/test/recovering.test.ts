import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Manager, ManagerEvent } from '../src/index.js'
import {
  BLOCK_BYTES,
  compute,
  computeBelow,
  content,
  expectNothingHeld,
  faultyWorld,
  readLease,
  temporaryDirectory,
} from './world.js'

/** Probes come at once; a test waits for what they find, not for time. */
const SOON = { probeDelayMs: 1, probeDelayMaxMs: 1, placeAgeMs: 0 }
/** No probe comes while a test runs. */
const LATE = { probeDelayMs: 3_600_000, probeDelayMaxMs: 3_600_000, placeAgeMs: 0 }
/** Blocks go down by themselves. */
const writeThrough = { hostLayout: { numBlocks: 16 } }

const diskWorld = (path: string, settings: object, more: object = writeThrough) =>
  faultyWorld({ host: 16, disk: { numBlocks: 16, path }, settings, more })

const disk = (manager: Manager) => manager.status().tiers.disk!

/** Resolves when a tier says that it is in this state. */
function state(manager: Manager, wanted: 'ok' | 'degraded'): Promise<ManagerEvent> {
  return new Promise((resolve) => {
    const stop = manager.onEvent((event) => {
      if (event.type !== 'tier-state' || event.state !== wanted) return
      stop()
      resolve(event)
    })
  })
}

async function offered(manager: Manager, count: number, seed: number) {
  const { hashes, kept } = await compute(manager, count, seed)
  await manager.settled()
  kept.release()
  return hashes
}

test.each(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'] as const)(
  'a disk that takes no bytes (%s): copying to it stops and is counted, what it holds is served, and a probe makes it well',
  async (code) => {
    using dir = temporaryDirectory()
    await using world = await diskWorld(dir.path, LATE)
    const { manager, faults, regions } = world
    const before = await offered(manager, 2, 1)
    faults.fail({ region: regions.disk, operation: 'write', code, times: 1000 })
    faults.fail({ region: regions.disk, operation: 'reserve', code, times: 1000 })
    await offered(manager, 2, 2)
    const injected = faults.injected
    await offered(manager, 3, 3)
    expect(faults.injected).toBe(injected)
    expect(disk(manager)).toMatchObject({ state: 'degraded', isReadable: true, isWritable: false, probes: 0 })
    expect(manager.status().edges['host-disk']?.drops).toMatchObject({ 'io-error': 2, degraded: 3 })

    await manager.host.resetBlocks(before)
    using lease = manager.match(before)
    expect(lease.byTier.disk).toBe(2)
    expect(await readLease(manager, lease)).toEqual(Buffer.from(content(2, 1)))
    lease.release()
    expectNothingHeld(manager)
  },
)

test('a disk that cannot be read is passed over by look-ups, and by copies to it, until a probe went well', async () => {
  using dir = temporaryDirectory()
  await using world = await diskWorld(dir.path, LATE, {})
  const { manager, faults, regions } = world
  const { hashes } = await computeBelow(manager, 'disk', 3)
  faults.fail({ region: regions.disk, operation: 'read', code: 'EIO' })
  {
    using lease = manager.match(hashes)
    using none = await manager.onboard(lease)
    expect(none.count).toBe(0)
  }
  using miss = manager.match(hashes)
  expect(miss.count).toBe(0)
  expect(disk(manager)).toMatchObject({ state: 'degraded', isReadable: false, isWritable: false })
  expect([...manager.disk.scan(hashes)]).toEqual([1, 1, 1])
})

test.each([
  ['fails to read', { operation: 'read', code: 'EIO' }],
  ['fails to write', { operation: 'write', code: 'EIO' }],
] as const)(
  'a disk that %s for a while is probed until it works: state, event, metric and log say so, and copies go on',
  async (_, fault) => {
    using dir = temporaryDirectory()
    await using world = await diskWorld(dir.path, SOON)
    const { manager, faults, regions, log } = world
    const below = await offered(manager, 2, 1)
    await manager.host.resetBlocks(below)
    // The first is the copy's, the others are probes'.
    faults.fail({ region: regions.disk, times: 4, ...fault })
    const [bad, well] = [state(manager, 'degraded'), state(manager, 'ok')]
    if (fault.operation === 'read') {
      using lease = manager.match(below)
      using _none = await manager.onboard(lease)
    } else await offered(manager, 2, 2)
    expect(await bad).toMatchObject({ tier: 'disk', reason: expect.stringContaining(fault.code) })
    expect(await well).toMatchObject({ tier: 'disk', reason: '' })
    expect(disk(manager)).toMatchObject({ state: 'ok', isReadable: true, isWritable: true, recoveries: 1 })
    expect(disk(manager).probes).toBeGreaterThanOrEqual(2)
    expect(log).toContain('info: The disk tier works again.')

    const later = await offered(manager, 2, 3)
    expect([...manager.disk.scan(later)]).toEqual([1, 1])
    using lease = manager.match(below)
    expect(await readLease(manager, lease)).toEqual(Buffer.from(content(2, 1)))
  },
)

test('a full disk is used again when there is room for the next blocks, not before', async () => {
  using dir = temporaryDirectory()
  await using world = await diskWorld(dir.path, SOON)
  const { manager, faults } = world
  faults.fail({ operation: 'reserve', code: 'ENOSPC', times: 4 })
  const [bad, well] = [state(manager, 'degraded'), state(manager, 'ok')]
  await offered(manager, 2, 1)
  expect(await bad).toMatchObject({ reason: expect.stringMatching(/^writing: .*ENOSPC/) })
  await well
  expect(faults.injected).toBe(4)
  expect(disk(manager)).toMatchObject({ state: 'ok', probes: 4, recoveries: 1 })
  expect([...manager.disk.scan(await offered(manager, 2, 2))]).toEqual([1, 1])
})

test('a torn trial is no recovery, and a trial that comes back changed neither', async () => {
  using dir = temporaryDirectory()
  await using world = await diskWorld(dir.path, SOON)
  const { manager, faults, regions } = world
  faults.fail({ region: regions.disk, operation: 'write', code: 'EIO' })
  faults.cutShort({ region: regions.disk, operation: 'write', bytes: BLOCK_BYTES - 1 })
  faults.flipBit({ region: regions.disk, operation: 'read', bit: 17 })
  const well = state(manager, 'ok')
  await offered(manager, 1, 1)
  await well
  expect(faults.injected).toBe(3)
  expect(disk(manager)).toMatchObject({ probes: 3, recoveries: 1, lastError: expect.stringMatching(/other bytes/) })
})

test('a disk that is too slow is degraded for both, one probe at a time hangs with it, and it is well when it answers', async () => {
  using dir = temporaryDirectory()
  await using world = await diskWorld(dir.path, { ...SOON, transferDeadlineMs: 20 })
  const { manager, faults, regions } = world
  const holds = (['read', 'write'] as const).map((operation) => faults.hold({ region: regions.disk, operation }))
  const [bad, well] = [state(manager, 'degraded'), state(manager, 'ok')]
  await offered(manager, 1, 1)
  expect(await bad).toMatchObject({ reason: expect.stringMatching(/reading: .*did not finish.*writing: /) })
  expect(disk(manager)).toMatchObject({ isReadable: false, isWritable: false })
  for (const hold of holds) hold.release()
  await well
  const later = await offered(manager, 1, 2)
  expect([...manager.disk.scan(later)]).toEqual([1])
})

test('a disk whose writes hang is read again as soon as it can be, and written again when it takes bytes', async () => {
  using dir = temporaryDirectory()
  await using world = await diskWorld(dir.path, { ...SOON, transferDeadlineMs: 500 })
  const { manager, faults, regions } = world
  const below = await offered(manager, 2, 1)
  await manager.host.resetBlocks(below)
  const hold = faults.hold({ region: regions.disk, operation: 'write' })
  const [bad, well] = [state(manager, 'degraded'), state(manager, 'ok')]
  await offered(manager, 1, 2)
  expect(await bad).toMatchObject({ reason: expect.stringMatching(/reading: .*writing: /) })
  await expect.poll(() => disk(manager)).toMatchObject({ state: 'degraded', isReadable: true, isWritable: false })
  using lease = manager.match(below)
  expect(await readLease(manager, lease)).toEqual(Buffer.from(content(2, 1)))
  hold.release()
  await well
})

test.each(['ENOSPC', 'EROFS'] as const)(
  'a disk that takes no bytes (%s) and then fails to read once is readable again, though not writable',
  async (code) => {
    using dir = temporaryDirectory()
    await using world = await diskWorld(dir.path, SOON, {})
    const { manager, faults, regions } = world
    const { hashes } = await computeBelow(manager, 'disk', 3)
    faults.fail({ region: regions.disk, operation: 'write', code, times: Number.MAX_SAFE_INTEGER })
    const { kept } = await compute(manager, 1, 2)
    expect(await manager.offload(kept)).toMatchObject({ copied: 0 })
    kept.release()
    faults.fail({ region: regions.disk, operation: 'read', code: 'EIO' })
    {
      using lease = manager.match(hashes)
      using _none = await manager.onboard(lease)
    }
    expect(disk(manager)).toMatchObject({ isReadable: false, isWritable: false })
    await expect.poll(() => disk(manager)).toMatchObject({ isReadable: true, isWritable: false })
    using lease = manager.match(hashes)
    expect(await readLease(manager, lease)).toEqual(Buffer.from(content(3)))
  },
)

test('a probe of reading whose block comes back changed is no recovery, and that block is not served any more', async () => {
  using dir = temporaryDirectory()
  await using world = await diskWorld(dir.path, SOON, {})
  const { manager, faults, regions } = world
  const { hashes } = await computeBelow(manager, 'disk', 1)
  faults.fail({ region: regions.disk, operation: 'read', code: 'EIO' })
  // The probe reads the beginning of the file, and then the block.
  faults.flipBit({ region: regions.disk, operation: 'read', bit: 17, after: 1 })
  const well = state(manager, 'ok')
  {
    using lease = manager.match(hashes)
    using _none = await manager.onboard(lease)
  }
  await well
  expect(disk(manager)).toMatchObject({ probes: 2, lastError: expect.stringMatching(/other than its record says/) })
  expect(disk(manager).blocks.quarantined).toBe(1)
  expect([...manager.disk.scan(hashes)]).toEqual([0])
})

test('probes of writing cost a full tier one cached block, however many fail', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ host: 16, disk: { numBlocks: 4, path: dir.path }, settings: SOON })
  const { manager, faults, regions } = world
  const { hashes } = await computeBelow(manager, 'disk', 4)
  faults.fail({ region: regions.disk, operation: 'write', code: 'EIO', times: 5 })
  const well = state(manager, 'ok')
  const { kept } = await compute(manager, 1, 2)
  expect(await manager.offload(kept)).toMatchObject({ copied: 0 })
  kept.release()
  await well
  expect(disk(manager).probes).toBe(5)
  expect([...manager.disk.scan(hashes)].filter((found) => found === 1)).toHaveLength(3)
})

test('a directory that is renamed away is noticed before the next write, serves what it has, and is used again when it is back', async () => {
  using dir = temporaryDirectory()
  const path = join(dir.path, 'cache')
  await using world = await diskWorld(path, SOON)
  const { manager } = world
  const below = await offered(manager, 2, 1)
  const [bad, well] = [state(manager, 'degraded'), state(manager, 'ok')]
  renameSync(path, `${path}-away`)
  const dropped = await offered(manager, 2, 2)
  expect(await bad).toMatchObject({ reason: expect.stringMatching(/^writing: .*is not there any more/) })
  expect([...manager.disk.scan(dropped)]).toEqual([0, 0])
  await manager.host.resetBlocks(below)
  using lease = manager.match(below)
  expect(await readLease(manager, lease)).toEqual(Buffer.from(content(2, 1)))

  renameSync(`${path}-away`, path)
  await well
  const later = await offered(manager, 2, 3)
  expect([...manager.disk.scan(later)]).toEqual([1, 1])
})

test('another directory in its place is not written to, and status() alone finds out', async () => {
  using dir = temporaryDirectory()
  const path = join(dir.path, 'cache')
  await using world = await diskWorld(path, LATE)
  const { manager } = world
  const [name] = readdirSync(path)
  const bad = state(manager, 'degraded')
  renameSync(path, `${path}-away`)
  mkdirSync(join(path, name!), { recursive: true })
  expect(disk(manager).state).toBe('ok')
  expect(await bad).toMatchObject({ reason: expect.stringMatching(/is not the one that was opened/) })
  await offered(manager, 2, 1)
  expect(disk(manager).state).toBe('degraded')
  expect(readdirSync(join(path, name!))).toEqual([])
})

test('files that are removed from under it degrade the tier, and closing it goes well', async () => {
  using dir = temporaryDirectory()
  const world = await diskWorld(dir.path, SOON)
  const { manager } = world
  const bad = state(manager, 'degraded')
  for (const name of readdirSync(dir.path)) rmSync(join(dir.path, name), { recursive: true })
  await offered(manager, 1, 1)
  expect(await bad).toMatchObject({ reason: expect.stringMatching(/is not there any more/) })
  await world[Symbol.asyncDispose]()
  expect(manager.status().state).toBe('closed')
})

test('a device that is lost and comes back is found by a probe that evicts nothing that is held', async () => {
  await using world = await faultyWorld({ device: 4, host: 4, settings: SOON })
  const { manager, faults, regions } = world
  const { hashes } = await computeBelow(manager, 'host', 3)
  const held = await compute(manager, 3, 2)
  faults.lose(regions.device)
  const [bad, well] = [state(manager, 'degraded'), state(manager, 'ok')]
  using lease = manager.match(hashes)
  expect((await manager.onboard(lease)).count).toBe(0)
  lease.release()
  expect(await bad).toMatchObject({ tier: 'device' })
  faults.clear()
  expect(await well).toMatchObject({ tier: 'device' })
  expect(Buffer.from(await manager.read(held.kept))).toEqual(Buffer.from(content(3, 2)))
  held.kept.release()
  expectNothingHeld(manager)
})

test('a copy that somebody asks for is tried at once, and its success needs no probe', async () => {
  using dir = temporaryDirectory()
  await using world = await diskWorld(dir.path, LATE, {})
  const { manager, faults, regions } = world
  const { kept } = await compute(manager, 2)
  faults.fail({ region: regions.disk, operation: 'write', code: 'EIO' })
  expect(await manager.offload(kept)).toMatchObject({ copied: 0 })
  expect(await manager.offload(kept)).toMatchObject({ copied: 2 })
  expect(disk(manager)).toMatchObject({ state: 'ok', probes: 0, recoveries: 1 })
  kept.release()
})
