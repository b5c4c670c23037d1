import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { KvbmError } from '@kvbm/core'
import { loadBinding } from '@kvbm/native'
import { withFaults } from '@kvbm/native/testing'
import { createTransferRuntime, DiskAllocator } from '@kvbm/storage'
import { expect, test } from 'vitest'
import { KvBlockManager, type Manager, type ManagerEvent, type ManagerSettings } from '../src/index.js'
import {
  BLOCK_BYTES,
  compute,
  computeBelow,
  expectNothingHeld,
  MODEL,
  NONE,
  prompt,
  readLease,
  recordingLogger,
  type TemporaryDirectory,
  temporaryDirectory,
} from './world.js'

const DISK_BLOCKS = 8
const isLocked = (error: unknown) => KvbmError.is(error, 'KVBM_DIRECTORY_LOCKED')
/** Readers look when a test says so. */
const NEVER = 1_000_000_000

test('the first manager of a shared directory writes, the second reads beside it, and both say so', async () => {
  using directory = temporaryDirectory()
  await using writer = await openShared(directory)
  await using reader = await openShared(directory)
  expect(writer.status().tiers.disk!.role).toEqual({ role: 'writer', reason: 'no other process had it' })
  expect(reader.status().tiers.disk!.role).toEqual({ role: 'reader', reason: 'another process writes it' })
  const kept = await computeBelow(writer, 'disk', 3)
  await reader.disk.refresh()
  expect(reader.status().tiers.disk!).toMatchObject({
    state: 'ok',
    blocks: { total: DISK_BLOCKS, free: DISK_BLOCKS - 3, inactive: 3, held: 0, quarantined: 0 },
    usedBytes: 3 * BLOCK_BYTES,
  })
  using lease = reader.match(reader.hash(prompt(4)))
  expect(lease.byTier).toEqual({ device: 0, host: 0, disk: 3 })
  expect((await readLease(reader, lease)).equals(kept.bytes)).toBe(true)
  using up = await reader.onboard(lease)
  expect(up.byTier).toEqual({ device: 0, host: 3, disk: 0 })
  expect((await readLease(reader, up)).equals(kept.bytes)).toBe(true)
  expect(reader.status().matched.disk).toBe(3)
})

test('without sharing the second one is refused, also beside a shared one', async () => {
  using directory = temporaryDirectory()
  await using _writer = await openShared(directory)
  await expect(openShared(directory, { access: 'exclusive' })).rejects.toSatisfy(isLocked)
})

test('what a reader would offload is dropped and counted; what its writer has is there already', async () => {
  using directory = temporaryDirectory()
  await using writer = await openShared(directory)
  await using reader = await openShared(directory)
  await computeBelow(writer, 'disk', 2)
  await reader.disk.refresh()
  const { kept } = await compute(reader, 4)
  const report = await reader.offload(kept)
  expect(report).toMatchObject({ offered: 4, copied: 0, present: 2, dropped: { 'read-only': 2 } })
  expect(reader.status().edges['host-disk']!.drops['read-only']).toBe(2)
  kept.release()
  expectNothingHeld(reader)
})

test('a reader hands out no disk blocks and forgets none', async () => {
  using directory = temporaryDirectory()
  await using writer = await openShared(directory)
  const { hashes } = await computeBelow(writer, 'disk', 2)
  await using reader = await openShared(directory)
  expect(() => reader.disk.allocate(1)).toThrow(/in use: another process writes it, and this one only reads beside it/)
  expect([reader.disk.available, reader.disk.allocateUpTo(5).count]).toEqual([0, 0])
  await expect(reader.disk.acquire(1)).rejects.toSatisfy(isLocked)
  await expect(reader.disk.reset()).rejects.toSatisfy(isLocked)
  await expect(reader.disk.resetBlocks(hashes)).rejects.toSatisfy(isLocked)
  expect([...reader.disk.scan(hashes), reader.disk.touch(hashes)]).toEqual([1, 1, 2])
})

test('a block that its writer overwrote since is a miss, no damage, and found again where it lies then', async () => {
  using directory = temporaryDirectory()
  await using writer = await openShared(directory)
  const first = await computeBelow(writer, 'disk', 4, 1)
  await using reader = await openShared(directory)
  using lease = reader.match(first.hashes)
  await computeBelow(writer, 'disk', DISK_BLOCKS, 2)
  expect((await readLease(reader, lease)).length).toBe(0)
  expect(counted(await reader.onboard(lease))).toBe(0)
  expect([reader.status().corrupt.disk, reader.status().tiers.disk!.state]).toEqual([0, 'ok'])
  await reader.disk.refresh()
  expect(counted(reader.match(first.hashes))).toBe(0)
  const again = await computeBelow(writer, 'disk', 4, 1)
  await reader.disk.refresh()
  expect((await readLease(reader, lease)).length).toBe(0)
  using found = reader.match(first.hashes)
  expect((await readLease(reader, found)).equals(again.bytes)).toBe(true)
  expect((await readLease(reader, lease)).equals(again.bytes)).toBe(true)
})

for (const integrity of [true, false])
  test(`a slot that is overwritten while it is read gives the shorter prefix (integrity: ${integrity})`, async () => {
    using directory = temporaryDirectory()
    await using writer = await openShared(directory)
    const { hashes } = await computeBelow(writer, 'disk', 3, 1)
    await using world = await faultyReader(directory, { integrity })
    const { reader, faults, region } = world
    using lease = reader.match(hashes)
    const atData = faults.hold({ region: region(), operation: 'read' })
    const onboarding = reader.onboard(lease)
    await atData.reached()
    await computeBelow(writer, 'disk', DISK_BLOCKS, 2)
    atData.release()
    expect(counted(await onboarding)).toBe(0)
    expect(reader.status().corrupt.disk).toBe(0)
  })

test('bytes that do not fit their record are damage: a miss, counted, and not tried again', async () => {
  using directory = temporaryDirectory()
  await using writer = await openShared(directory)
  const { hashes, bytes } = await computeBelow(writer, 'disk', 3)
  await using world = await faultyReader(directory, { integrity: true })
  const { reader, faults, region } = world
  using lease = reader.match(hashes)
  faults.flipBit({ region: region(), operation: 'read', bit: 8 * BLOCK_BYTES + 3 })
  using up = await reader.onboard(lease)
  expect((await readLease(reader, up)).equals(bytes.subarray(0, BLOCK_BYTES))).toBe(true)
  expect([reader.status().corrupt.disk, counted(reader.disk.match(hashes))]).toEqual([1, 1])
})

test('a reader whose disk fails is left alone, and used again when its table can be read', async () => {
  using directory = temporaryDirectory()
  await using writer = await openShared(directory)
  const { hashes, bytes } = await computeBelow(writer, 'disk', 2)
  await using world = await faultyReader(directory, { integrity: true, settings: { probeDelayMs: 1 } })
  const { reader, faults, region } = world
  using lease = reader.match(hashes)
  faults.fail({ region: region(), operation: 'read', code: 'EIO' })
  const isOk = new Promise<void>((resolve) => {
    reader.onEvent((event) => {
      if (event.type === 'tier-state' && event.state === 'ok') resolve()
    })
  })
  expect(counted(await reader.onboard(lease))).toBe(0)
  await isOk
  expect(reader.status().tiers.disk).toMatchObject({ state: 'ok', recoveries: 1, isReadable: true, isWritable: false })
  using up = await reader.onboard(lease)
  expect((await readLease(reader, up)).equals(bytes)).toBe(true)
})

test('when the writer closes, one reader takes over and writes; the other reads on and sees what it stores', async () => {
  using directory = temporaryDirectory()
  const writer = await openShared(directory)
  const first = await computeBelow(writer, 'disk', 3, 1)
  await using heir = await openShared(directory)
  await using other = await openShared(directory)
  const events = recorded(heir)
  using before = heir.match(first.hashes)
  await Promise.all([heir.disk.refresh(), other.disk.refresh()])
  expect(events).toEqual([])
  await writer.close()
  await heir.disk.refresh()
  await other.disk.refresh()
  expect(events.map(({ type }) => type)).toEqual(['stored', 'tier-role'])
  expect(events.at(-1)).toMatchObject({ tier: 'disk', role: 'writer', reason: expect.stringMatching(/is gone/) })
  expect(heir.status().tiers.disk!.role!.role).toBe('writer')
  expect(other.status().tiers.disk!.role!.role).toBe('reader')
  const second = await computeBelow(heir, 'disk', 2, 2)
  await other.disk.refresh()
  using both = other.match(second.hashes)
  expect((await readLease(other, both)).equals(second.bytes)).toBe(true)
  expect((await readLease(heir, before)).equals(first.bytes)).toBe(true)
  await computeBelow(heir, 'disk', DISK_BLOCKS, 3)
  expect((await readLease(heir, before)).length).toBe(0)
  before.release()
  expectNothingHeld(heir)
})

test('a read that has begun before this process took over ends as a reader’s', async () => {
  using directory = temporaryDirectory()
  const writer = await openShared(directory)
  const { hashes, bytes } = await computeBelow(writer, 'disk', 3, 1)
  await using world = await faultyReader(directory, { integrity: true })
  const { reader, faults, region } = world
  using lease = reader.match(hashes)
  for (const overwrite of [false, true]) {
    const atData = faults.hold({ region: region(), operation: 'read' })
    const reading = readLease(reader, lease)
    await atData.reached()
    await writer.close()
    await reader.disk.refresh()
    expect(reader.status().tiers.disk!.role!.role).toBe('writer')
    if (overwrite) await computeBelow(reader, 'disk', DISK_BLOCKS, 2)
    atData.release()
    const read = await reading
    expect(read.equals(overwrite ? Buffer.alloc(0) : bytes)).toBe(true)
  }
})

test('a taking over that fails is told once; the tier stays a reader and tries again', async () => {
  using directory = temporaryDirectory()
  const writer = await openShared(directory)
  const { hashes } = await computeBelow(writer, 'disk', 2)
  await using world = await faultyReader(directory, { integrity: true })
  const { reader, faults, log } = world
  await writer.close()
  for (let attempt = 0; attempt < 2; attempt++) {
    faults.fail({ operation: 'sync', code: 'EIO' })
    await reader.disk.refresh()
    expect(reader.status().tiers.disk!.role!.role).toBe('reader')
    expect(counted(reader.match(hashes))).toBe(2)
  }
  expect(log.filter((line) => line.startsWith('warn'))).toEqual([expect.stringMatching(/taking over failed.*EIO/)])
  await reader.disk.refresh()
  expect(reader.status().tiers.disk!.role!.role).toBe('writer')
})

test('a directory that is removed under a reader is a miss, never an exception', async () => {
  using directory = temporaryDirectory()
  await using writer = await openShared(directory)
  const { hashes } = await computeBelow(writer, 'disk', 2)
  await using reader = await openShared(directory)
  using lease = reader.match(hashes)
  rmSync(join(directory.path, 'cache'), { recursive: true })
  expect(counted(await reader.onboard(lease))).toBe(2)
  await reader.disk.refresh()
  using found = reader.match(hashes)
  expect(found.byTier.disk).toBe(0)
})

test('a reader that was opened before anything was stored reads what comes', async () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'cache')
  await (await openShared(directory)).close()
  const [folder] = readdirSync(path)
  for (const name of ['slots.kvbm', 'blocks.kvbm']) rmSync(join(path, folder!, name))
  const lock = await loadBinding().lockFile(join(path, folder!, 'lock'))
  await using reader = await openShared(directory)
  expect(reader.status().tiers.disk).toMatchObject({ role: { role: 'reader' }, blocks: { total: 0, free: 0 } })
  lock!.release()
  await using writer = await openShared(directory)
  const { hashes, bytes } = await computeBelow(writer, 'disk', 3)
  await reader.disk.refresh()
  using lease = reader.match(hashes)
  expect((await readLease(reader, lease)).equals(bytes)).toBe(true)
})

test('closing while a take-over is under way gives the directory back', async () => {
  using directory = temporaryDirectory()
  const writer = await openShared(directory)
  await computeBelow(writer, 'disk', 2)
  const world = await faultyReader(directory, { integrity: true })
  await writer.close()
  const atFlush = world.faults.hold({ operation: 'sync' })
  const looking = world.reader.disk.refresh()
  await atFlush.reached()
  const closing = world.reader.close()
  atFlush.release()
  await Promise.all([looking, closing])
  await using next = await openShared(directory, { access: 'exclusive' })
  expect(counted(next.match(next.hash(prompt(2))))).toBe(2)
  await world[Symbol.asyncDispose]()
})

interface SharedOptions {
  readonly access?: 'shared' | 'exclusive'
  readonly more?: object
  readonly settings?: Partial<ManagerSettings>
}

async function openShared(directory: TemporaryDirectory, options: SharedOptions = {}): Promise<Manager> {
  const { access = 'shared', more = {}, settings } = options
  const config = {
    model: MODEL,
    hostLayout: { numBlocks: 16, offloadFilter: NONE },
    diskLayout: {
      numBlocks: DISK_BLOCKS,
      access,
      allocator: { kind: 'disk' as const, path: join(directory.path, 'cache') },
    },
    ...more,
  }
  return (await KvBlockManager.create(config, { readerDelayMs: NEVER, ...settings })) as unknown as Manager
}

interface FaultyReaderOptions {
  readonly integrity: boolean
  readonly settings?: Partial<ManagerSettings>
}

/** A reader whose files fail on command. */
async function faultyReader(directory: TemporaryDirectory, { integrity, settings = {} }: FaultyReaderOptions) {
  const { binding, faults } = withFaults(loadBinding())
  const runtime = createTransferRuntime({ binding, threads: 2 })
  const allocator = new DiskAllocator(join(directory.path, 'cache'), { runtime })
  const openSlotsReadOnly = allocator.openSlotsReadOnly.bind(allocator)
  let region = (): number => -1
  allocator.openSlotsReadOnly = async (options) => {
    const slots = await openSlotsReadOnly(options)
    region = () => slots.storage.regionId
    return slots
  }
  const log: string[] = []
  const reader = await openShared(directory, {
    settings,
    more: {
      runtime: { workerId: 0, asyncRuntime: runtime, logger: recordingLogger(log) },
      integrity,
      diskLayout: { numBlocks: DISK_BLOCKS, access: 'shared', allocator },
    },
  })
  return {
    reader,
    faults,
    log,
    region: () => region(),
    [Symbol.asyncDispose]: async () => {
      faults.clear()
      await reader.close()
      await runtime.close()
    },
  }
}

function counted(held: { readonly count: number; release(): void }): number {
  held.release()
  return held.count
}

/** What a manager tells about its disk tier. */
function recorded(manager: Manager): ManagerEvent[] {
  const events: ManagerEvent[] = []
  manager.onEvent((event) => {
    if ('tier' in event && event.tier === 'disk') events.push(event)
  })
  return events
}
