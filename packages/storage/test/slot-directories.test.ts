import { existsSync, mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KvbmError } from '@kvbm/core'
import { describe, expect, test } from 'vitest'
import {
  DiskAllocator,
  isSlotDirectoryLocked,
  listSlotDirectories,
  removeSlotDirectory,
  shrinkSlotDirectory,
  slotDirectoryName,
  slotOverheadBytes,
  slotsForBytes,
} from '../src/index.js'
import { onEachBinding, useRuntime } from './support/bindings.js'
import { blockOf, readSlot, storeBlocks } from './support/blocks.js'
import { IMPOSTORS } from './support/impostors.js'
import { isPosix, posixTest } from './support/posix.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

const SLOT_BYTES = 4096

onEachBinding((makeBinding) => {
  test('a directory that somebody has open is neither removed nor cut', async () => {
    await using world = await openWorld(makeBinding)
    const { root, name, options } = world
    const data = join(root, name, 'blocks.kvbm')
    const before = statSync(data).size
    expect(await isSlotDirectoryLocked(root, name, options)).toBe(true)
    expect(await removeSlotDirectory(root, name, options)).toBe(false)
    expect(await shrinkSlotDirectory(root, name, { numSlots: 1, slotBytes: SLOT_BYTES }, options)).toBe(false)
    expect(statSync(data).size).toBe(before)
  })

  test('a closed one is removed whole', async () => {
    await using world = await openWorld(makeBinding)
    await world.file.close()
    expect(await isSlotDirectoryLocked(world.root, world.name, world.options)).toBe(false)
    expect(await removeSlotDirectory(world.root, world.name, world.options)).toBe(true)
    expect(existsSync(join(world.root, world.name))).toBe(false)
  })

  test('one that was cut has the blocks below the cut and no others', async () => {
    await using world = await openWorld(makeBinding)
    const { root, name, options, runtime } = world
    await storeBlocks(world.file, runtime, [0, 9], [100, 109])
    await world.file.close()
    expect(await shrinkSlotDirectory(root, name, { numSlots: 4, slotBytes: SLOT_BYTES }, options)).toBe(true)
    expect(statSync(join(root, name, 'blocks.kvbm')).size).toBe(4 * SLOT_BYTES)
    expect(statSync(join(root, name, 'slots.kvbm')).size).toBe(2 ** 20 + 4 * 64)
    const again = await new DiskAllocator(root, options).openSlots({ ...world.slots, numSlots: 4 })
    expect([...again.recovered.slots]).toEqual([1, 0])
    expect(await readSlot(again, runtime, 0)).toEqual(blockOf(100, SLOT_BYTES))
    await again.close()
  })

  describe.skipIf(!isPosix)('is not cut through what lies in the place of its data', () => {
    test.each(Object.keys(IMPOSTORS))('%s', async (impostor) => {
      await using world = await openWorld(makeBinding)
      const { root, name, options } = world
      await world.file.close()
      const data = join(root, name, 'blocks.kvbm')
      const target = join(root, 'elsewhere')
      writeFileSync(target, 'precious'.repeat(SLOT_BYTES), { mode: 0o600 })
      rmSync(data)
      IMPOSTORS[impostor]!(data, target)
      await expect(shrinkSlotDirectory(root, name, { numSlots: 1, slotBytes: SLOT_BYTES }, options)).rejects.toSatisfy(
        (error) => KvbmError.is(error, 'KVBM_DIRECTORY_FOREIGN'),
      )
      expect(statSync(target).size).toBe(8 * SLOT_BYTES)
    })
  })

  posixTest('the list reads no text through a pipe or a link', async () => {
    await using world = await openWorld(makeBinding)
    const { root, name, options } = world
    for (const impostor of ['a pipe', 'a symbolic link']) {
      rmSync(join(root, name, 'fingerprint.json'))
      IMPOSTORS[impostor]!(join(root, name, 'fingerprint.json'), join(root, name, 'lock-holder.txt'))
      expect((await listSlotDirectories(root, options))[0]!.fingerprint).toBe('')
    }
  })

  test('the list tells names, sizes and fingerprints, the longest unused first, and passes over what is not ours', async () => {
    await using world = await openWorld(makeBinding)
    const { root, options } = world
    const other = await new DiskAllocator(root, options).openSlots({ ...world.slots, fingerprint: 'another' })
    await other.close()
    for (const file of ['slots.kvbm', 'blocks.kvbm', 'lock', 'lock-holder.txt', 'fingerprint.json'])
      if (existsSync(join(root, slotDirectoryName('another'), file)))
        utimesSync(join(root, slotDirectoryName('another'), file), 1000, 1000)
    mkdirSync(join(root, 'letters'))
    writeFileSync(join(root, 'note.txt'), 'not a directory')
    const list = await listSlotDirectories(root, options)
    expect(list.map(({ fingerprint }) => fingerprint)).toEqual(['another', world.slots.fingerprint])
    expect(list.map(({ name }) => name)).toEqual([slotDirectoryName('another'), world.name])
    expect(list[0]!.usedMs).toBe(1_000_000)
    expect(list[1]!.capacityBytes).toBe(2 ** 20 + 16 * (SLOT_BYTES + 64))
    expect(list[1]!.usedBytes).toBeGreaterThan(0)
  })

  test('a root that does not exist has no directories', async () => {
    await using runtime = useRuntime(makeBinding())
    expect(await listSlotDirectories('/nowhere/at/all', { runtime })).toEqual([])
  })
})

test('slots for a number of bytes: with all that belongs to them, and none where not even the table fits', () => {
  const bytes = slotOverheadBytes(10) + 10 * 4096
  expect(slotsForBytes(bytes, 4096)).toBe(10)
  expect(slotsForBytes(bytes - 1, 4096)).toBe(9)
  expect(slotsForBytes(slotOverheadBytes(10) + 10 * 8192, 4097)).toBe(10)
  expect(slotsForBytes(1000, 4096)).toBe(0)
})

async function openWorld(makeBinding: Parameters<Parameters<typeof onEachBinding>[0]>[0]) {
  const runtime = useRuntime(makeBinding())
  const directory = new TemporaryDirectory()
  const slots = { fingerprint: '{"model":"listed"}', numSlots: 16, slotBytes: SLOT_BYTES }
  const file = await new DiskAllocator(directory.path, { runtime }).openSlots(slots)
  await storeBlocks(file, runtime, [1], [101])
  return {
    root: directory.path,
    name: slotDirectoryName(slots.fingerprint),
    options: { runtime },
    runtime,
    slots,
    file,
    async [Symbol.asyncDispose]() {
      await file.close()
      await runtime.close()
      directory[Symbol.dispose]()
    },
  }
}
