import { KvbmError, type KvbmErrorCode, type Storage } from '@kvbm/core'
import { afterAll, describe, expect, test } from 'vitest'
import { wrapMemory } from '../src/index.js'
import { allocatorConformance, simulatedHardware } from '../src/testing/index.js'
import { onEachBinding } from './support/bindings.js'
import { blockOf, FINGERPRINT, readSlot, recoveredNames, storeBlocks, writeBlocks } from './support/blocks.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

const hasCode = (code: KvbmErrorCode) => (error: unknown) => KvbmError.is(error, code)
const BLOCK = 4096

onEachBinding((makeBinding) => {
  describe('without faults it is hardware like any other', () => {
    const directory = new TemporaryDirectory()
    let disks = 0
    const { runtime, device, disk } = simulatedHardware({ binding: makeBinding() })
    afterAll(async () => {
      await runtime.close()
      directory[Symbol.dispose]()
    })
    for (const { name, run } of allocatorConformance({ make: () => device, runtime, addressable: false }))
      test(`device: ${name}`, run)
    const make = () => disk(directory.at(`disk-${disks++}`))
    for (const { name, run } of allocatorConformance({ make, runtime, addressable: false })) test(`disk: ${name}`, run)
  })

  describe('device', () => {
    test('says that it is simulated, and which device, ordinal and streams', async () => {
      await using world = setUp()
      const storage = await world.device.allocate({ sizeBytes: BLOCK })
      expect(world.device.describe()).toBe('simulated:0: a simulation')
      expect(storage.describe().facts).toMatchObject({ device: 'simulated:0', ordinal: 0, streams: 2 })
      await storage.close()
    })

    test('memory beyond its size is KVBM_STORAGE_FULL until other memory is closed', async () => {
      await using world = setUp({ deviceBytes: 3 * BLOCK })
      const first = await world.device.allocate({ sizeBytes: 2 * BLOCK })
      await expect(world.device.allocate({ sizeBytes: 2 * BLOCK })).rejects.toThrow(/4096 bytes left, 8192 were asked/)
      await first.close()
      await first.close()
      await (await world.device.allocate({ sizeBytes: 3 * BLOCK })).close()
    })

    test('memory that the driver refuses is not counted as taken', async () => {
      await using world = setUp({ deviceBytes: BLOCK })
      world.faults.fail({ operation: 'allocate', code: 'ENOSPC' })
      await expect(world.device.allocate({ sizeBytes: BLOCK })).rejects.toSatisfy(hasCode('KVBM_STORAGE_FULL'))
      await (await world.device.allocate({ sizeBytes: BLOCK })).close()
    })

    test('a copy that fails says so and moves nothing; the next one works', async () => {
      await using world = setUp()
      const storage = await world.device.allocate({ sizeBytes: BLOCK })
      world.faults.fail({ region: storage.regionId, operation: 'write', code: 'EIO' })
      await expect(world.write(storage, blockOf(1, BLOCK))).rejects.toSatisfy(hasCode('KVBM_STORAGE_IO'))
      expect(await world.read(storage)).toEqual(new Uint8Array(BLOCK))
      await world.write(storage, blockOf(1, BLOCK))
      expect(await world.read(storage)).toEqual(blockOf(1, BLOCK))
    })

    test('a lost device fails every copy, and its memory can still be closed', async () => {
      await using world = setUp()
      const storage = await world.device.allocate({ sizeBytes: BLOCK })
      world.faults.lose(storage.regionId)
      await expect(world.read(storage)).rejects.toThrow(/device of region \d+ is lost/)
      await expect(world.write(storage, blockOf(1, BLOCK))).rejects.toSatisfy(hasCode('KVBM_STORAGE_IO'))
      await storage.close()
    })

    test('a copy that hangs ends when it is released, although its memory was closed', async () => {
      await using world = setUp()
      const storage = await world.device.allocate({ sizeBytes: BLOCK })
      const hold = world.faults.hold({ region: storage.regionId })
      const ended: string[] = []
      const copy = world.runtime
        .submit({ runs: Float64Array.of(storage.regionId, 0, storage.regionId, BLOCK / 2, BLOCK / 2) })
        .then(() => ended.push('copy'))
      await hold.reached()
      await storage.close()
      expect(ended).toEqual([])
      hold.release()
      await copy
      expect(ended).toEqual(['copy'])
    })

    test('a copy that hangs can be taken back by its signal', async () => {
      await using world = setUp()
      const storage = await world.device.allocate({ sizeBytes: BLOCK })
      const hold = world.faults.hold({ region: storage.regionId })
      const controller = new AbortController()
      const runs = Float64Array.of(storage.regionId, 0, storage.regionId, 1, 1)
      const copy = world.runtime.submit({ runs }, { signal: controller.signal })
      await hold.reached()
      controller.abort(new Error('too slow'))
      await expect(copy).rejects.toThrow('too slow')
    })

    test('a flipped bit arrives silently, and the checksum of what arrived shows it', async () => {
      await using world = setUp()
      const storage = await world.device.allocate({ sizeBytes: BLOCK })
      world.faults.flipBit({ region: storage.regionId, operation: 'write', bit: 77 })
      const sum = await world.write(storage, blockOf(1, BLOCK))
      expect(sum).not.toBe(world.runtime.binding.crc32c(blockOf(1, BLOCK)))
      expect(await world.read(storage)).not.toEqual(blockOf(1, BLOCK))
    })
  })

  describe('disk', () => {
    test('a full disk is KVBM_STORAGE_FULL; a file that was new is gone again, with its lock', async () => {
      await using world = setUp()
      const allocator = world.disk(world.at('cache'))
      world.faults.fail({ operation: 'reserve', code: 'ENOSPC' })
      await expect(allocator.allocate({ sizeBytes: BLOCK })).rejects.toSatisfy(hasCode('KVBM_STORAGE_FULL'))
      const again = await allocator.allocate({ sizeBytes: BLOCK })
      expect(again.describe().facts.growth).not.toBe('as found')
      await again.close()
    })

    test('a file that was there before a failed opening is left as it was', async () => {
      await using world = setUp()
      const allocator = world.disk(world.at('cache'))
      const first = await allocator.allocate({ sizeBytes: BLOCK })
      await world.write(first, blockOf(1, BLOCK))
      await first.close()
      world.faults.fail({ operation: 'reserve', code: 'EDQUOT' })
      await expect(allocator.allocate({ sizeBytes: 2 * BLOCK })).rejects.toSatisfy(hasCode('KVBM_STORAGE_FULL'))
      const again = await allocator.allocate({ sizeBytes: BLOCK })
      expect(await world.read(again)).toEqual(blockOf(1, BLOCK))
      await again.close()
    })

    test('slots that cannot grow keep the blocks that are there, and grow when there is room again', async () => {
      await using world = setUp()
      await using file = await world.openSlots()
      await storeBlocks(file, world.runtime, [0])
      world.faults.fail({ operation: 'reserve', code: 'ENOSPC' })
      await expect(file.reserve(Uint32Array.of(3))).rejects.toSatisfy(hasCode('KVBM_STORAGE_FULL'))
      expect(await readSlot(file, world.runtime, 0)).toEqual(blockOf(0, BLOCK))
      await storeBlocks(file, world.runtime, [3])
      expect(await readSlot(file, world.runtime, 3)).toEqual(blockOf(3, BLOCK))
    })

    test('a record that is torn while it is written is free after reopening, its neighbours are whole', async () => {
      await using world = setUp()
      {
        await using file = await world.openSlots()
        await storeBlocks(file, world.runtime, [0, 1])
        const rows = await writeBlocks(file, world.runtime, [2, 3], [2, 3])
        world.faults.cutShort({ operation: 'write', bytes: 64 + 30 })
        await expect(file.commit(rows)).rejects.toSatisfy(hasCode('KVBM_STORAGE_IO'))
      }
      await using file = await world.openSlots()
      expect([...recoveredNames(file).keys()]).toEqual([0, 1, 2])
      expect(file.describe().facts).toMatchObject({ recovered: 3, damaged: 1 })
    })

    test('a record with a flipped bit is never found', async () => {
      await using world = setUp()
      {
        await using file = await world.openSlots()
        const rows = await writeBlocks(file, world.runtime, [0, 1], [0, 1])
        world.faults.flipBit({ operation: 'write', bit: 64 * 8 + 200 })
        await file.commit(rows)
      }
      await using file = await world.openSlots()
      expect([...recoveredNames(file).keys()]).toEqual([0])
      expect(file.recovered.count).toBe(1)
    })

    test('a directory whose lock cannot be taken is an error, and not opened unlocked', async () => {
      await using world = setUp()
      world.faults.fail({ operation: 'lock', code: 'EIO' })
      await expect(world.openSlots()).rejects.toSatisfy(hasCode('KVBM_STORAGE_IO'))
      await (await world.openSlots()).close()
    })
  })

  function setUp(options: { deviceBytes?: number } = {}) {
    const hardware = simulatedHardware({ binding: makeBinding(), ...options })
    const directory = new TemporaryDirectory()
    const { runtime } = hardware
    return {
      ...hardware,
      at: (...names: string[]) => directory.at(...names),
      openSlots: () =>
        hardware
          .disk(directory.at('slots'))
          .openSlots({ fingerprint: FINGERPRINT, numSlots: 8, slotBytes: BLOCK, segmentBytes: 2 * BLOCK }),
      /** The checksum of what arrived, where that is memory. */
      write: async (storage: Storage, bytes: Uint8Array) => {
        const source = wrapMemory(bytes, { runtime })
        const into = new Uint32Array(1)
        const runs = Float64Array.of(source.regionId, 0, storage.regionId, 0, bytes.length)
        const pieces = Float64Array.of(0, storage.regionId, 0, bytes.length)
        try {
          await runtime.submit(storage.kind === 'disk' ? { runs } : { runs, sums: { pieces, into, when: 'after' } })
        } finally {
          await source.close()
        }
        return into[0]
      },
      read: async (storage: Storage) => {
        const into = new Uint8Array(BLOCK)
        const target = wrapMemory(into, { runtime })
        try {
          await runtime.submit({ runs: Float64Array.of(storage.regionId, 0, target.regionId, 0, BLOCK) })
        } finally {
          await target.close()
        }
        return into
      },
      async [Symbol.asyncDispose]() {
        hardware.faults.clear()
        await runtime.close()
        directory[Symbol.dispose]()
      },
    }
  }
})
