import type { MutableBlocks } from '@kvbm/pool'
import { wrapMemory } from '@kvbm/storage'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Manager } from '../src/index.js'
import {
  BLOCK_BYTES,
  content,
  expectNothingHeld,
  type FaultyWorld,
  faultyWorld,
  openManager,
  prompt,
  temporaryDirectory,
} from './world.js'

/** Time stands still, so that a deadline expires when the test says so and never by itself. */
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

const OUR_DEADLINE_MS = 30_000
const COUNT = 2

/** Everything that is ready has had its turn. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

const read = async (manager: Manager, blocks: Parameters<Manager['read']>[0]) => Buffer.from(await manager.read(blocks))

type Fill = (world: FaultyWorld, blocks: MutableBlocks, bytes: Uint8Array) => Promise<void>

const write: Fill = ({ manager }, blocks, bytes) => manager.write(blocks, bytes)

const scatter: Fill = async ({ manager, runtime }, blocks, bytes) => {
  const from = wrapMemory(bytes, { runtime })
  const pieces = Array.from({ length: blocks.count }, (_, at) => [at, 0, at * BLOCK_BYTES, BLOCK_BYTES]).flat()
  // A copy that was given up on still reads it: closing waits for that.
  await manager
    .scatter(blocks)
    .scatter(Float64Array.from(pieces), from)
    .finally(() => void from.close())
}

describe.each([
  ['host', 'write', write],
  ['host', 'scatter', scatter],
  ['disk', 'write', write],
] as const)('in the %s tier', (tier, name, fill) => {
  test(`a second ${name} waits for the copy of one that was given up on, and its bytes are what stays`, async () => {
    using dir = temporaryDirectory()
    await using world = await faultyWorld({ [tier]: tier === 'disk' ? { numBlocks: COUNT, path: dir.path } : COUNT })
    const { manager, faults, regions } = world
    const hold = faults.hold({ region: regions[tier], operation: 'write' })
    const fresh = manager[tier].allocate(COUNT)
    const first = expect(fill(world, fresh, content(COUNT, 1))).rejects.toMatchObject({ code: 'KVBM_DEADLINE' })
    await hold.reached()
    vi.advanceTimersByTime(OUR_DEADLINE_MS)
    await first
    const second = fill(world, fresh, content(COUNT, 2))
    await turn()
    expect(hold.waiting).toBe(1)
    hold.release()
    await second
    using kept = await manager.register(fresh, manager.hash(prompt(COUNT)))
    expect(await read(manager, kept)).toEqual(Buffer.from(content(COUNT, 2)))
  })
})

test('writes of the same blocks come in turn, and the last one stays', async () => {
  await using world = await faultyWorld({ host: COUNT })
  const { manager, faults, regions } = world
  const hold = faults.hold({ region: regions.host, operation: 'write' })
  const fresh = manager.host.allocate(COUNT)
  const writes = [1, 2, 3].map((seed) => manager.write(fresh, content(COUNT, seed)))
  await hold.reached()
  await turn()
  expect(hold.waiting).toBe(1)
  hold.release()
  await Promise.all(writes)
  expect(await read(manager, fresh)).toEqual(Buffer.from(content(COUNT, 3)))
  fresh.release()
})

test('a write that waits for an earlier copy ends with its signal, with our deadline, and with the manager', async () => {
  await using world = await faultyWorld({ host: COUNT })
  const { manager, faults, regions } = world
  const hold = faults.hold({ region: regions.host, operation: 'write' })
  const fresh = manager.host.allocate(COUNT)
  const controller = new AbortController()
  const first = expect(manager.write(fresh, content(COUNT))).rejects.toThrow(/Writing blocks of the host tier/)
  const aborted = expect(manager.write(fresh, content(COUNT), { signal: controller.signal })).rejects.toThrow('enough')
  const expired = expect(manager.write(fresh, content(COUNT))).rejects.toThrow(/Waiting for an earlier copy.*30000 ms/)
  await hold.reached()
  controller.abort(new Error('enough'))
  await aborted
  vi.advanceTimersByTime(OUR_DEADLINE_MS)
  await first
  await expired
  const closed = expect(manager.write(fresh, content(COUNT))).rejects.toMatchObject({ code: 'KVBM_CLOSED' })
  const closing = manager.close()
  fresh.release()
  hold.release()
  await closed
  await closing
})

test.each(['host', 'disk'] as const)('blocks of the %s tier get no name while they are written', async (tier) => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ [tier]: tier === 'disk' ? { numBlocks: COUNT, path: dir.path } : COUNT })
  const { manager, faults, regions } = world
  const hashes = manager.hash(prompt(COUNT))
  const fresh = manager[tier].allocate(COUNT)
  await manager.write(fresh, content(COUNT, 1))
  const hold = faults.hold({ region: regions[tier], operation: 'write' })
  const writing = manager.write(fresh, content(COUNT, 2))
  await hold.reached()
  const refused = expect(manager.register(fresh, hashes)).rejects
  await refused.toThrow(RangeError)
  await refused.toThrow(/register\(\): something still writes to these 2 blocks/)
  expect(manager[tier].scan(hashes)).toEqual(new Uint8Array(COUNT))
  hold.release()
  await writing
  using kept = await manager.register(fresh, hashes)
  expect(await read(manager, kept)).toEqual(Buffer.from(content(COUNT, 2)))
})

async function writtenOnDisk(manager: Manager) {
  const hashes = manager.hash(prompt(COUNT))
  const fresh = manager.disk.allocate(COUNT)
  await manager.write(fresh, content(COUNT, 1))
  return { hashes, fresh }
}

test('a write that is asked for while disk blocks are registered comes too late, and changes nothing', async () => {
  using dir = temporaryDirectory()
  await using manager = await openManager({ disk: { numBlocks: COUNT, path: dir.path } })
  const { hashes, fresh } = await writtenOnDisk(manager)
  const registering = manager.register(fresh, hashes)
  const late = expect(manager.write(fresh, content(COUNT, 5))).rejects.toMatchObject({ code: 'KVBM_BLOCK_CONSUMED' })
  using kept = await registering
  await late
  expect(await read(manager, kept)).toEqual(Buffer.from(content(COUNT, 1)))
})

test('a second registration of the same disk blocks is refused and takes nothing from the first', async () => {
  using dir = temporaryDirectory()
  const disk = { numBlocks: COUNT, path: dir.path }
  const before = await openManager({ disk })
  const { hashes, fresh } = await writtenOnDisk(before)
  const [first, second] = await Promise.allSettled([before.register(fresh, hashes), before.register(fresh, hashes)])
  expect(second).toMatchObject({ status: 'rejected', reason: expect.any(RangeError) })
  if (first.status === 'fulfilled') first.value.release()
  await before.close()
  await using after = await openManager({ disk })
  using found = after.disk.match(hashes)
  expect(await read(after, found)).toEqual(Buffer.from(content(COUNT, 1)))
})

test('after a registration that failed the blocks can be written again, and released', async () => {
  using dir = temporaryDirectory()
  await using world = await faultyWorld({ disk: { numBlocks: COUNT, path: dir.path } })
  const { manager, faults } = world
  const { hashes, fresh } = await writtenOnDisk(manager)
  faults.fail({ operation: 'write', code: 'EIO' })
  const registering = expect(manager.register(fresh, hashes)).rejects.toMatchObject({ code: 'KVBM_STORAGE_IO' })
  const writing = manager.write(fresh, content(COUNT, 3))
  await registering
  await writing
  const kept = await manager.register(fresh, hashes)
  expect(await read(manager, kept)).toEqual(Buffer.from(content(COUNT, 3)))
  kept.release()
  expectNothingHeld(manager)
})
