import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { BlockHashes, KvbmError, WORDS_PER_HASH } from '@kvbm/core'
import type { Binding } from '@kvbm/native'
import { type FaultController, withFaults } from '@kvbm/native/testing'
import { describe, expect, test } from 'vitest'
import { DiskAllocator, type FoundSlots, type SlotReader, slotDirectoryName } from '../src/index.js'
import { COPY_BYTES, encodeSuperblock, TABLE_OFFSET } from '../src/superblock.js'
import { onEachBinding, useRuntime } from './support/bindings.js'
import { blockOf, FINGERPRINT, storeBlocks } from './support/blocks.js'
import { boundMethods } from './support/bound-methods.js'
import { posixTest } from './support/posix.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

const SLOT_BYTES = 4096
/** More than one segment of the table. */
const NUM_SLOTS = 5000
const NAMES = [101, 102, 103]
const isForeign = (error: unknown) => KvbmError.is(error, 'KVBM_DIRECTORY_FOREIGN')

onEachBinding((makeBinding) => {
  describe('beside its writer', () => {
    test('a reader finds and reads what is stored, takes no lock and changes nothing', async () => {
      await using world = await openWorld(makeBinding)
      const before = filesOf(world)
      await using reader = await world.openReader()
      expect([reader.count, reader.numSlots, reader.reason]).toEqual([3, NUM_SLOTS, ''])
      expect(await namesRead(reader, [101, 102, 103, 104])).toEqual([101, 102, 103])
      expect([...reader.scan(hashesOf([104, 103]))]).toEqual([0, 1])
      expect(filesOf(world)).toEqual(before)
    })

    test('what the writer stores later is found after a refresh, which scans only the segment that changed', async () => {
      await using world = await openWorld(makeBinding)
      await using reader = await world.openReader()
      const scanned = world.scans()
      await storeBlocks(world.file, world.runtime, [4999], [104])
      expect(reader.find(hashesOf([104])).slots.length).toBe(0)
      await reader.refresh()
      expect(await namesRead(reader, [104])).toEqual([104])
      expect(world.scans() - scanned).toBe(1)
      await reader.refresh()
      expect(world.scans() - scanned).toBe(1)
    })

    test('a superblock that promises more records than its table has is believed for those that are there', async () => {
      await using world = await openWorld(makeBinding)
      world.writeSuperblock({ numSlots: 2 ** 28 })
      await using reader = await world.openReader()
      expect([reader.count, reader.numSlots, reader.reason]).toEqual([3, NUM_SLOTS, ''])
    })

    test('of two records with one hash the newer one is read, and the older one when that is gone', async () => {
      await using world = await openWorld(makeBinding)
      await storeBlocks(world.file, world.runtime, [4500], [101])
      await using reader = await world.openReader()
      expect([...reader.find(hashesOf([101])).slots]).toEqual([4500])
      await storeBlocks(world.file, world.runtime, [4500], [105])
      await reader.refresh()
      expect([...reader.find(hashesOf([101])).slots]).toEqual([1])
    })

    test.each([undefined, 2 ** 30])(
      'a directory that was removed is not made anew by who takes over (quota: %s)',
      async (quotaBytes) => {
        await using world = await openWorld(makeBinding)
        await using reader = await world.openReader()
        rmSync(world.root, { recursive: true })
        const { runtime } = world.options
        const heir = new DiskAllocator(world.root, { runtime, ...(quotaBytes === undefined ? {} : { quotaBytes }) })
        await expect(heir.openSlots({ ...world.slots, after: reader })).rejects.toThrow(/is not where it was read/)
        expect([await reader.isInPlace(), existsSync(world.root)]).toEqual([false, false])
      },
    )

    test('a directory that is exchanged while its lock is taken is not taken over', async () => {
      await using world = await openWorld(makeBinding)
      await using reader = await world.openReader()
      await world.file.close()
      const binding: Binding = { ...boundMethods(world.runtime.binding) }
      binding.lockFile = async (path) => {
        rmSync(join(world.folder, 'slots.kvbm'))
        return world.runtime.binding.lockFile(path)
      }
      await using runtime = useRuntime(binding)
      const taking = new DiskAllocator(world.root, { runtime }).openSlots({ ...world.slots, after: reader })
      await expect(taking).rejects.toThrow(/is not where it was read/)
      expect(readdirSync(world.folder)).not.toContain('slots.kvbm')
    })

    test('the next writer raises the epoch: all is looked at again, with as many slots as there are then', async () => {
      await using world = await openWorld(makeBinding)
      await using reader = await world.openReader()
      await world.file.close()
      const next = await new DiskAllocator(world.root, world.options).openSlots({ ...world.slots, numSlots: 6000 })
      await storeBlocks(next, world.runtime, [5900], [106])
      await reader.refresh()
      expect([reader.epoch, reader.numSlots, reader.count]).toEqual([2, 6000, 4])
      expect(await namesRead(reader, [101, 106])).toEqual([101, 106])
      await next.close()
    })

    test('a closed reader finds nothing, and refreshes nothing', async () => {
      await using world = await openWorld(makeBinding)
      const reader = await world.openReader()
      const found = reader.find(hashesOf(NAMES))
      await reader.close()
      await reader.close()
      await reader.refresh()
      expect([reader.count, reader.find(hashesOf(NAMES)).slots.length]).toEqual([0, 0])
      expect(await reader.read(found, new Uint8Array(3 * SLOT_BYTES))).toBe(0)
    })
  })

  describe('no wrong byte is served when the writer overwrites a slot', () => {
    test('before the read', async () => {
      await using world = await openWorld(makeBinding)
      await using reader = await world.openReader()
      await storeBlocks(world.file, world.runtime, [2], [202])
      expect(await namesRead(reader, NAMES)).toEqual([101])
      expect(reader.find(hashesOf(NAMES)).slots.length).toBe(1)
    })

    for (const step of ['invalidated', 'overwritten', 'stored'] as const) {
      test(`between the record and the data (${step})`, async () => {
        await using world = await openWorld(makeBinding)
        await using reader = await world.openReader()
        const atData = world.faults.hold({ region: world.regions.get('blocks.kvbm')!, operation: 'read' })
        const reading = namesRead(reader, NAMES)
        await atData.reached()
        await world.overwrite(2, step)
        atData.release()
        expect(await reading).toEqual([101])
      })

      test(`between the data and the second look (${step})`, async () => {
        await using world = await openWorld(makeBinding)
        await using reader = await world.openReader()
        const atData = world.faults.hold({ region: world.regions.get('blocks.kvbm')!, operation: 'read' })
        const reading = namesRead(reader, NAMES)
        await atData.reached()
        const atRecords = world.faults.hold({ region: world.regions.get('slots.kvbm')!, operation: 'read' })
        atData.release()
        await atRecords.reached()
        await world.overwrite(2, step)
        atRecords.release()
        expect(await reading).toEqual([101])
      })
    }

    test('with the same block, which has another record then', async () => {
      await using world = await openWorld(makeBinding)
      await using reader = await world.openReader()
      await storeBlocks(world.file, world.runtime, [1], [101])
      expect(await namesRead(reader, [101])).toEqual([])
      await reader.refresh()
      expect(await namesRead(reader, [101])).toEqual([101])
    })

    test('over and over, while three readers read', async () => {
      await using world = await openWorld(makeBinding)
      const readers = await Promise.all([world.openReader(), world.openReader(), world.openReader()])
      const names = Array.from({ length: 12 }, (_, index) => 1000 + index)
      const working = new Set(readers)
      const read = async (reader: SlotReader): Promise<void> => {
        for (let count = 0; count < 100; ) {
          await reader.refresh()
          for (const name of names) count += (await namesRead(reader, [name])).length
        }
        working.delete(reader)
      }
      const write = async (): Promise<void> => {
        for (let round = 0; working.size > 0; round++)
          await storeBlocks(world.file, world.runtime, [10 + (round % 8)], [names[(round * 5) % 12]!])
      }
      await Promise.all([write(), ...readers.map(read)])
      for (const reader of readers) await reader.close()
    })
  })

  describe('what is damaged is a miss', () => {
    test('bytes that do not fit their checksum, until their slot is written again', async () => {
      await using world = await openWorld(makeBinding)
      patch(join(world.folder, 'blocks.kvbm'), 2 * SLOT_BYTES, Uint8Array.of(1, 2, 3))
      await using reader = await world.openReader()
      expect(await namesRead(reader, NAMES)).toEqual([101])
      await storeBlocks(world.file, world.runtime, [9], [109])
      await reader.refresh()
      expect(reader.find(hashesOf([102])).slots.length).toBe(0)
      await storeBlocks(world.file, world.runtime, [2], [102])
      await reader.refresh()
      expect(await namesRead(reader, NAMES)).toEqual(NAMES)
    })

    test('a record whose checksum does not hold', async () => {
      await using world = await openWorld(makeBinding)
      patch(join(world.folder, 'slots.kvbm'), TABLE_OFFSET + 2 * 64 + 9, Uint8Array.of(0xee))
      await using reader = await world.openReader()
      expect(await namesRead(reader, NAMES)).toEqual([101])
    })

    test('a superblock of which both copies are damaged while the reader is open, and the reason says it', async () => {
      await using world = await openWorld(makeBinding)
      await using reader = await world.openReader()
      const table = join(world.folder, 'slots.kvbm')
      const whole = readFileSync(table).subarray(0, 2 * COPY_BYTES)
      for (const copy of [0, COPY_BYTES]) patch(table, copy + 20, Uint8Array.of(1, 1, 1, 1))
      await reader.refresh()
      expect([reader.count, reader.reason]).toEqual([0, expect.stringMatching(/both copies are damaged/)])
      patch(table, 0, whole)
      await reader.refresh()
      expect(await namesRead(reader, NAMES)).toEqual(NAMES)
    })

    test('a data file that lost its end is an error of the read, not of the look-up', async () => {
      await using world = await openWorld(makeBinding)
      await using reader = await world.openReader()
      truncateSync(join(world.folder, 'blocks.kvbm'), 2 * SLOT_BYTES)
      await reader.refresh()
      expect(await namesRead(reader, [101])).toEqual([101])
      await expect(namesRead(reader, [102])).rejects.toSatisfy((error) => KvbmError.is(error, 'KVBM_STORAGE_IO'))
    })
  })

  describe('what is not ours is refused, and the error says whose it is', () => {
    test('a table of another fingerprint, of a newer format, with other slots, or none at all', async () => {
      await using world = await openWorld(makeBinding)
      await world.file.close()
      await expect(world.openReader({ slotBytes: 8192 })).rejects.toThrow(/slots of 4096 bytes.*not of 8192/)
      world.writeSuperblock({ fingerprint: '{"model":"another"}' })
      await expect(world.openReader()).rejects.toThrow(/holds blocks of \{"model":"another"\}/)
      world.writeSuperblock({ formatVersion: 2, fingerprint: '{"model":"of tomorrow"}' })
      await expect(world.openReader()).rejects.toThrow(/format 2.*of tomorrow/)
      writeFileSync(join(world.folder, 'slots.kvbm'), 'somebody wrote a letter here'.repeat(40))
      await expect(world.openReader()).rejects.toSatisfy(isForeign)
    })

    posixTest('a directory that others may write, and links in the place of its files', async () => {
      await using world = await openWorld(makeBinding)
      chmodSync(world.folder, 0o777)
      await expect(world.openReader()).rejects.toSatisfy(isForeign)
      chmodSync(world.folder, 0o700)
      for (const name of ['slots.kvbm', 'blocks.kvbm']) {
        renameSync(join(world.folder, name), join(world.root, name))
        symlinkSync(join(world.root, name), join(world.folder, name))
        await expect(world.openReader()).rejects.toSatisfy(isForeign)
        rmSync(join(world.folder, name))
        renameSync(join(world.root, name), join(world.folder, name))
      }
      await using reader = await world.openReader()
      expect(reader.count).toBe(3)
    })
  })

  describe('files that go away', () => {
    test('nothing is made where nothing is stored, and what comes later is found', async () => {
      using directory = new TemporaryDirectory()
      const runtime = useRuntime(makeBinding())
      const allocator = new DiskAllocator(directory.at('cache'), { runtime })
      await using reader = await allocator.openSlotsReadOnly({ fingerprint: FINGERPRINT, slotBytes: SLOT_BYTES })
      expect([reader.count, reader.find(hashesOf(NAMES)).slots.length, readdirSync(directory.path)]).toEqual([0, 0, []])
      expect(reader.reason).toMatch(/nothing is stored there/)
      const file = await allocator.openSlots({ fingerprint: FINGERPRINT, numSlots: 16, slotBytes: SLOT_BYTES })
      await storeBlocks(file, runtime, [7], [107])
      await reader.refresh()
      expect(await namesRead(reader, [107])).toEqual([107])
      await file.close()
      await reader.close()
      await runtime.close()
    })

    posixTest('a directory that is removed is a miss, and one in its place is found', async () => {
      await using world = await openWorld(makeBinding)
      await using reader = await world.openReader()
      const found = reader.find(hashesOf(NAMES))
      await world.file.close()
      rmSync(world.folder, { recursive: true })
      await reader.refresh()
      expect([reader.count, reader.find(hashesOf(NAMES)).slots.length]).toEqual([0, 0])
      expect(await reader.read(found, new Uint8Array(3 * SLOT_BYTES))).toBe(0)
      const next = await new DiskAllocator(world.root, world.options).openSlots(world.slots)
      await storeBlocks(next, world.runtime, [1, 5], [201, 102])
      await reader.refresh()
      expect(await namesRead(reader, [102, 201])).toEqual([102, 201])
      // The same slot and generation, but another block.
      expect(await reader.read(found, new Uint8Array(3 * SLOT_BYTES))).toBe(0)
      await next.close()
    })

    posixTest('a read that goes on while the directory is replaced is a miss or what was asked for', async () => {
      await using world = await openWorld(makeBinding)
      await using reader = await world.openReader()
      const atData = world.faults.hold({ region: world.regions.get('blocks.kvbm')!, operation: 'read' })
      const reading = namesRead(reader, NAMES)
      await atData.reached()
      rmSync(world.folder, { recursive: true })
      await reader.refresh()
      atData.release()
      expect(await reading).toEqual([])
    })
  })
})

/** Reads the longest prefix of these blocks, and checks every byte of it against what its name says. */
async function namesRead(reader: SlotReader, names: readonly number[]): Promise<number[]> {
  const found: FoundSlots = reader.find(hashesOf(names))
  const bytes = new Uint8Array(found.slots.length * reader.slotBytes)
  const sound = await reader.read(found, bytes)
  for (const [row, name] of names.slice(0, sound).entries()) {
    const block = bytes.subarray(row * reader.slotBytes, (row + 1) * reader.slotBytes)
    if (Buffer.compare(block, blockOf(name, reader.slotBytes)) !== 0) throw new Error(`wrong bytes for block ${name}`)
  }
  return names.slice(0, sound)
}

/** As `rowsOf` names them. */
function hashesOf(names: readonly number[]): BlockHashes {
  const backing = new Uint32Array((names.length + 1) * WORDS_PER_HASH)
  for (const [row, name] of names.entries()) backing.set([name, 1, 2, 3], (row + 1) * WORDS_PER_HASH)
  return new BlockHashes({ algorithm: 'sha256', pageSize: 4, backing, start: 0 })
}

type Step = 'invalidated' | 'overwritten' | 'stored'

async function openWorld(makeBinding: () => Binding) {
  const directory = new TemporaryDirectory()
  const root = directory.at('cache')
  const runtime = useRuntime(makeBinding())
  const { readerRuntime, faults, regions, scans } = watchedRuntime(makeBinding())
  const options = { runtime }
  const slots = { fingerprint: FINGERPRINT, numSlots: NUM_SLOTS, slotBytes: SLOT_BYTES }
  const file = await new DiskAllocator(root, options).openSlots(slots)
  await storeBlocks(file, runtime, [1, 2, 3], NAMES)
  const folder = join(root, slotDirectoryName(FINGERPRINT))
  return {
    root,
    folder,
    file,
    runtime,
    options,
    slots,
    faults,
    regions,
    scans,
    openReader: (more: { slotBytes?: number } = {}) =>
      new DiskAllocator(root, { runtime: readerRuntime }).openSlotsReadOnly({ ...slots, ...more }),
    /** Does what a writer does with a slot that it uses again, up to `step`. */
    overwrite: async (slot: number, step: Step) => {
      const ids = Uint32Array.of(slot)
      if (step === 'stored') return storeBlocks(file, runtime, [slot], [900])
      await file.invalidate(ids)
      if (step === 'overwritten') patch(join(folder, 'blocks.kvbm'), slot * SLOT_BYTES, blockOf(900, SLOT_BYTES))
    },
    writeSuperblock: (change: object) => {
      const { fingerprint, numSlots, slotBytes } = slots
      const block = { formatVersion: 1, sequence: 100, epoch: 9, generationFloor: 2 ** 30, slotStride: slotBytes }
      const bytes = encodeSuperblock({ ...block, fingerprint, numSlots, slotBytes, ...change }, runtime.binding)
      patch(join(folder, 'slots.kvbm'), 0, bytes)
    },
    [Symbol.asyncDispose]: async () => {
      faults.clear()
      await file.close()
      await readerRuntime.close()
      await runtime.close()
      directory[Symbol.dispose]()
    },
  }
}

/** The runtime of a reader: its reads can be held up, its regions have names, its scans are counted. */
function watchedRuntime(inner: Binding) {
  const faulty: { binding: Binding; faults: FaultController } = withFaults(inner)
  const regions = new Map<string, number>()
  let scans = 0
  const binding: Binding = {
    ...boundMethods(faulty.binding),
    openFile: async (options) => {
      const region = await faulty.binding.openFile(options)
      regions.set(basename(options.path), region.id)
      return region
    },
    readSlots: (...given) => {
      scans++
      return faulty.binding.readSlots(...given)
    },
  }
  return { readerRuntime: useRuntime(binding), faults: faulty.faults, regions, scans: () => scans }
}

type World = Awaited<ReturnType<typeof openWorld>>

function filesOf({ folder }: World): object[] {
  return readdirSync(folder).map((name) => {
    const { size, mtimeMs } = statSync(join(folder, name))
    return { name, size, mtimeMs }
  })
}

function patch(path: string, offset: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+')
  writeSync(file, bytes, 0, bytes.length, offset)
  closeSync(file)
}
