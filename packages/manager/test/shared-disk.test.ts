import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type BlockHashes, KvbmError } from '@kvbm/core'
import { loadBinding } from '@kvbm/native'
import { withFaults } from '@kvbm/native/testing'
import type { ImmutableBlocks } from '@kvbm/pool'
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

test('a block that was found again under a newer record while it was read is a miss, no damage', async () => {
  using directory = temporaryDirectory()
  await using writer = await openShared(directory)
  const { hashes } = await computeBelow(writer, 'disk', 1)
  const slot = writer.disk.match(hashes)
  await using world = await faultyReader(directory, { integrity: true })
  const { reader, faults, region } = world
  using lease = reader.match(hashes)
  const atData = faults.hold({ region: region(), operation: 'read' })
  const onboarding = reader.onboard(lease)
  await atData.reached()
  const others = await storeElsewhere(writer, slot)
  await reader.disk.refresh()
  using again = reader.match(hashes)
  atData.release()
  expect([counted(await onboarding), reader.status().corrupt.disk]).toEqual([0, 0])
  expect((await readLease(reader, again)).equals(others)).toBe(true)
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

test('a directory that is removed under a reader is a miss: it takes nothing over and makes nothing anew', async () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'cache')
  await using writer = await openShared(directory)
  const { hashes } = await computeBelow(writer, 'disk', 2)
  await using reader = await openShared(directory)
  const events = recorded(reader)
  using lease = reader.match(hashes)
  rmSync(path, { recursive: true })
  expect(counted(await reader.onboard(lease))).toBe(2)
  for (let look = 0; look < 3; look++) await reader.disk.refresh()
  expect([existsSync(path), events, roleOf(reader), onDisk(reader, hashes)]).toEqual([false, [], 'reader', 0])
  expect(reader.status().tiers.disk!.storages[0]!.notes.join()).toMatch(
    /nothing is stored there yet, or its files were removed/,
  )
})

test('a directory that comes back under a reader is read on, and taken over when its writer is gone', async () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'cache')
  const writer = await openShared(directory)
  const { hashes } = await computeBelow(writer, 'disk', 2)
  await using reader = await openShared(directory)
  renameSync(path, `${path}.away`)
  for (let look = 0; look < 2; look++) await reader.disk.refresh()
  expect([existsSync(path), roleOf(reader), onDisk(reader, hashes)]).toEqual([false, 'reader', 0])
  renameSync(`${path}.away`, path)
  for (let look = 0; look < 2; look++) await reader.disk.refresh()
  expect([roleOf(reader), onDisk(reader, hashes)]).toEqual(['reader', 2])
  await writer.close()
  await reader.disk.refresh()
  expect([roleOf(reader), onDisk(reader, hashes)]).toEqual(['writer', 2])
})

test('a directory that another process made anew is read, and no empty one is taken over', async () => {
  using directory = temporaryDirectory()
  const path = join(directory.path, 'cache')
  await using writer = await openShared(directory)
  await computeBelow(writer, 'disk', 2, 1)
  await using reader = await openShared(directory)
  const [folder] = readdirSync(path)
  rmSync(path, { recursive: true })
  mkdirSync(join(path, folder!), { recursive: true, mode: 0o700 })
  for (let look = 0; look < 2; look++) await reader.disk.refresh()
  expect([readdirSync(join(path, folder!)), roleOf(reader)]).toEqual([[], 'reader'])
  const next = await openShared(directory)
  const { hashes } = await computeBelow(next, 'disk', 3, 2)
  await reader.disk.refresh()
  expect([roleOf(next), roleOf(reader), onDisk(reader, hashes)]).toEqual(['writer', 'reader', 3])
  await next.close()
  await reader.disk.refresh()
  expect([roleOf(reader), onDisk(reader, hashes)]).toEqual(['writer', 3])
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

/** Gives a block up, keeps its slot from being used, and stores other bytes under its name. Its old record stays as it is. */
async function storeElsewhere(writer: Manager, block: ImmutableBlocks): Promise<Buffer> {
  const { hashes } = block
  const [slot] = block.ids
  block.release()
  writer.disk.allocate(DISK_BLOCKS).release()
  const taken = Array.from({ length: DISK_BLOCKS }, () => writer.disk.allocate(1))
  using _kept = taken.find(({ ids }) => ids[0] === slot)!
  for (const blocks of taken) if (blocks.ids[0] !== slot) blocks.release()
  const bytes = Buffer.alloc(BLOCK_BYTES, 7)
  using fresh = writer.host.allocate(1)
  await writer.write(fresh, bytes)
  using kept = fresh.register(hashes)
  expect((await writer.offload(kept, { to: 'disk' })).copied).toBe(1)
  return bytes
}

function counted(held: { readonly count: number; release(): void }): number {
  held.release()
  return held.count
}

function roleOf(manager: Manager): string {
  return manager.status().tiers.disk!.role!.role
}

function onDisk(manager: Manager, hashes: BlockHashes): number {
  return counted(manager.disk.match(hashes))
}

/** What a manager tells about its disk tier. */
function recorded(manager: Manager): ManagerEvent[] {
  const events: ManagerEvent[] = []
  manager.onEvent((event) => {
    if ('tier' in event && event.tier === 'disk') events.push(event)
  })
  return events
}
