import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { KvbmError, type KvbmErrorCode } from '@kvbm/core'
import type { Binding } from '@kvbm/native'
import { describe, expect, test } from 'vitest'
import { DiskAllocator, type OpenSlotsOptions, type SlotFile } from '../src/index.js'
import { COPY_BYTES, COUNTERS_OFFSET, directoryNameOf, encodeSuperblock, TABLE_OFFSET } from '../src/superblock.js'
import { onEachBinding, useRuntime } from './support/bindings.js'
import { blockOf, FINGERPRINT, readSlot, recoveredNames, rowsOf, storeBlocks, writeBlocks } from './support/blocks.js'
import { IMPOSTORS, impostorsFor } from './support/impostors.js'
import { isPosix, posixTest } from './support/posix.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

const FILES = ['slots.kvbm', 'slots.kvbm.new', 'blocks.kvbm', 'fingerprint.json', 'lock', 'lock-holder.txt']

const hasCode = (code: KvbmErrorCode) => (error: unknown) => KvbmError.is(error, code)

onEachBinding((makeBinding) => {
  describe('what is refused, nothing changed', () => {
    test('a table that is not ours', async () => {
      await using world = await withBlocks(makeBinding)
      writeFileSync(world.table, 'somebody wrote a letter here'.repeat(40))
      await refusesUnchanged(world, /not a slot table/)
    })

    test('a table of a newer format, and it says whose it is', async () => {
      await using world = await withBlocks(makeBinding)
      world.overwriteSuperblock({ formatVersion: 2, fingerprint: '{"model":"of tomorrow"}' })
      await refusesUnchanged(world, /format 2.*of tomorrow.*up to format 1/)
    })

    test('a table of another fingerprint under the same name, and it says of which', async () => {
      await using world = await withBlocks(makeBinding)
      world.overwriteSuperblock({ fingerprint: '{"model":"another"}' })
      await refusesUnchanged(world, /holds blocks of \{"model":"another"\}/)
    })

    test('a table with slots of another size', async () => {
      await using world = await withBlocks(makeBinding)
      await expect(world.open({ slotBytes: 4096 })).rejects.toThrow(/slots of 8192 bytes.*not of 4096/)
    })

    test('a table whose superblocks are both damaged', async () => {
      await using world = await withBlocks(makeBinding)
      world.flip(world.table, 20)
      world.flip(world.table, COPY_BYTES + 20)
      await refusesUnchanged(world, /both copies are damaged/)
    })

    test.each([
      ['in its first superblock', 100],
      ['in its second superblock, the first being damaged', COPY_BYTES + 100],
    ])('a table that was cut %s', async (_, sizeBytes) => {
      await using world = await withBlocks(makeBinding)
      world.flip(world.table, 33)
      truncateSync(world.table, sizeBytes)
      await refusesUnchanged(world, /both copies are damaged/)
    })

    test('bytes of blocks without table and text beside them', async () => {
      await using world = setUp(makeBinding)
      mkdirSync(world.at('.'), { recursive: true, mode: 0o700 })
      writeFileSync(world.data, 'precious', { mode: 0o600 })
      await refusesUnchanged(world, /blocks\.kvbm has bytes, but no slot table/)
      writeFileSync(world.at('fingerprint.json'), '{"model":"another"}\n', { mode: 0o600 })
      await refusesUnchanged(world, /blocks\.kvbm has bytes, but no slot table/)
      writeFileSync(world.table, '', { mode: 0o600 })
      await refusesUnchanged(world, /blocks\.kvbm has bytes, but no slot table/)
    })

    test('a table of zeros, as a file system leaves one whose bytes never arrived', async () => {
      await using world = await withBlocks(makeBinding)
      writeFileSync(world.table, new Uint8Array(2 ** 20))
      await refusesUnchanged(world, /has no superblock/)
    })

    describe.skipIf(!isPosix)('in the place of one of its files', () => {
      test.each(impostorsFor(FILES))('$impostor: $name', async ({ name, impostor }) => {
        await using world = await withBlocks(makeBinding)
        const target = join(world.root, 'elsewhere')
        writeFileSync(target, 'precious', { mode: 0o600 })
        rmSync(world.at(name), { force: true })
        IMPOSTORS[impostor]!(world.at(name), target)
        await expect(world.open()).rejects.toSatisfy(hasCode('KVBM_DIRECTORY_FOREIGN'))
        expect(readFileSync(target, 'utf8')).toBe('precious')
      })
    })

    test('a directory that is in use, also by this process', async () => {
      await using world = await withBlocks(makeBinding)
      const first = await world.open()
      const refusal = await world.open().catch((error: unknown) => error)
      expect(refusal).toSatisfy(hasCode('KVBM_DIRECTORY_LOCKED'))
      expect(String(refusal)).toMatch(/is in use: this process holds its lock/)
      await first.close()
      await (await world.open()).close()
    })

    test('a failed opening gives the lock back', async () => {
      await using world = await withBlocks(makeBinding)
      const good = readFileSync(world.table)
      world.overwriteSuperblock({ formatVersion: 9 })
      await expect(world.open()).rejects.toThrow()
      writeFileSync(world.table, good)
      await (await world.open()).close()
    })

    test('numbers that cannot be, as RangeErrors', async () => {
      await using world = setUp(makeBinding)
      for (const wrong of [{ numSlots: 0 }, { numSlots: 2 ** 29 }, { slotBytes: 0 }, { segmentBytes: -1 }]) {
        await expect(world.open(wrong)).rejects.toThrow(RangeError)
      }
      await expect(world.open({ fingerprint: 'x'.repeat(20_000) })).rejects.toThrow(RangeError)
    })
  })

  describe('reopening', () => {
    test('finds every committed block, oldest first, with bytes, parents, positions and checksums', async () => {
      await using world = setUp(makeBinding)
      const first = await world.open()
      await storeBlocks(first, world.runtime, [5, 1, 3], [50, 10, 30])
      await storeBlocks(first, world.runtime, [0], [7])
      await first.close()
      const { recovered, ...file } = await world.reopen()
      expect([...recovered.slots]).toEqual([5, 1, 3, 0])
      expect(Array.from(recovered.slots, (slot) => recovered.positions[slot])).toEqual([60, 20, 40, 17])
      expect([...recovered.parents.subarray(5 * 4, 6 * 4)]).toEqual([50, 4, 5, 6])
      expect([recovered.count, recovered.damaged]).toEqual([4, 0])
      for (const [row, name] of [50, 10, 30, 7].entries()) {
        const slot = recovered.slots[row]!
        const bytes = await readSlot(file.file, world.runtime, slot)
        expect(bytes).toEqual(blockOf(name, 8192))
        expect(world.runtime.binding.crc32c(bytes)).toBe(recovered.checksums[slot])
      }
    })

    test('an invalidated block is gone, an overwritten one is the new one', async () => {
      await using world = await withBlocks(makeBinding)
      const file = await world.open()
      await file.invalidate(Uint32Array.of(0))
      await storeBlocks(file, world.runtime, [1], [99])
      await file.close()
      const { file: again } = await world.reopen()
      expect(recoveredNames(again)).toEqual(
        new Map([
          [2, 2],
          [3, 3],
          [99, 1],
        ]),
      )
    })

    test('a block whose record was not committed is not found', async () => {
      await using world = await withBlocks(makeBinding)
      const file = await world.open()
      await writeBlocks(file, world.runtime, [2], [98])
      await file.close()
      const { file: again } = await world.reopen()
      expect([...recoveredNames(again).keys()].sort()).toEqual([0, 1, 3])
    })

    test('generations never restart, not even when all records were cleared', async () => {
      await using world = setUp(makeBinding)
      const seen: number[] = []
      for (let round = 0; round < 3; round++) {
        const file = await world.open()
        await storeBlocks(file, world.runtime, [0, 1])
        await file.close()
        seen.push(...(await world.generations()))
        const again = await world.open()
        await again.invalidate(Uint32Array.of(0, 1))
        await again.close()
      }
      expect(seen.length).toBe(6)
      expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b))
    })

    test('generations continue above the highest record when the superblock knows less', async () => {
      await using world = await withBlocks(makeBinding)
      const [highest] = [...(await world.generations())].reverse()
      world.overwriteSuperblock({ generationFloor: 1 })
      const file = await world.open()
      await storeBlocks(file, world.runtime, [7])
      await file.close()
      expect((await world.generations()).at(-1)).toBeGreaterThan(highest!)
    })

    test('the writer epoch rises with every opening', async () => {
      await using world = setUp(makeBinding)
      const epochs: unknown[] = []
      for (let round = 0; round < 3; round++) {
        const file = await world.open()
        epochs.push(file.describe().facts.epoch)
        await file.close()
      }
      expect(epochs).toEqual([1, 2, 3])
    })

    test('with fewer slots it drops what lies beyond, for good', async () => {
      await using world = await withBlocks(makeBinding)
      const small = await world.open({ numSlots: 2 })
      expect([...recoveredNames(small).keys()]).toEqual([0, 1])
      expect(small.describe().facts.dropped).toBe(2)
      await small.close()
      const large = await world.open({ numSlots: 8 })
      expect([...recoveredNames(large).keys()]).toEqual([0, 1])
      await large.close()
    })

    test('with more slots it keeps all, and the new ones work', async () => {
      await using world = await withBlocks(makeBinding)
      const large = await world.open({ numSlots: 10_000 })
      expect(large.recovered.count).toBe(4)
      await storeBlocks(large, world.runtime, [9999], [77])
      await large.close()
      const again = await world.open({ numSlots: 10_000 })
      expect(recoveredNames(again).get(77)).toBe(9999)
      await again.close()
    })

    test('a record with any one flipped bit is damaged: counted and free', async () => {
      for (const byte of [0, 9, 20, 40, 63]) {
        await using world = await withBlocks(makeBinding)
        world.flip(world.table, TABLE_OFFSET + 2 * 64 + byte)
        const { file } = await world.reopen()
        expect([...recoveredNames(file).keys()], `byte ${byte}`).toEqual([0, 1, 3])
        expect(file.recovered.damaged).toBe(1)
        await storeBlocks(file, world.runtime, [2], [55])
        await file.close()
      }
    })

    test('one damaged superblock is outlived by its twin', async () => {
      for (const place of [0, COPY_BYTES]) {
        await using world = await withBlocks(makeBinding)
        world.flip(world.table, place + 33)
        const { file } = await world.reopen()
        expect(file.recovered.count).toBe(4)
        expect(file.describe().facts.epoch).toBe(2)
        await file.close()
        world.flip(world.table, COPY_BYTES - place + 33)
        await (await world.open()).close()
      }
    })

    test('a data file that was lost or cut takes its records along', async () => {
      await using world = await withBlocks(makeBinding)
      truncateSync(world.data, 2 * 8192)
      const cut = await world.reopen()
      expect([...recoveredNames(cut.file).keys()]).toEqual([0, 1])
      await cut.file.close()
      rmSync(world.data)
      const { file } = await world.reopen()
      expect(file.recovered.count).toBe(0)
      await storeBlocks(file, world.runtime, [0])
      await file.close()
    })

    test('a table begun and never finished is begun again', async () => {
      await using world = setUp(makeBinding)
      await (await world.open()).close()
      rmSync(world.table)
      writeFileSync(`${world.table}.new`, 'half a superblock', { mode: 0o600 })
      const file = await world.open()
      expect(file.recovered.count).toBe(0)
      await file.close()
    })

    test('nothing of a table that was begun and never finished gets into the one that is made', async () => {
      await using world = setUp(makeBinding)
      mkdirSync(world.at('.'), { recursive: true, mode: 0o700 })
      writeFileSync(`${world.table}.new`, Buffer.alloc(2 * TABLE_OFFSET, 7), { mode: 0o600 })
      const { file } = await world.reopen()
      expect(file.recovered).toMatchObject({ count: 0, damaged: 0 })
      expect(lstatSync(world.table).size).toBe(TABLE_OFFSET + 8 * 64)
    })

    test('a table that was lost leaves our bytes of blocks to be written again', async () => {
      await using world = await withBlocks(makeBinding)
      rmSync(world.table)
      const { file } = await world.reopen()
      expect(file.recovered.count).toBe(0)
      await storeBlocks(file, world.runtime, [0])
    })
  })

  describe('growth', () => {
    test('the data file grows by segments where it is first used', async () => {
      await using world = setUp(makeBinding)
      const file = await world.open({ numSlots: 100, segmentBytes: 4 * 8192 })
      expect(file.describe().facts).toMatchObject({ growth: 'none yet', reservedBytes: 0 })
      await Promise.all([file.reserve(Uint32Array.of(0, 3)), file.reserve(Uint32Array.of(1))])
      expect(file.describe().facts.reservedBytes).toBe(4 * 8192)
      await file.reserve(Uint32Array.of(4, 99))
      expect(file.describe().facts.reservedBytes).toBe(12 * 8192)
      expect(['allocated', 'zero-filled', 'sparse']).toContain(file.describe().facts.growth)
      await file.close()
    })

    test('the last segment ends with the last slot', async () => {
      await using world = setUp(makeBinding)
      const file = await world.open({ numSlots: 5, segmentBytes: 4 * 8192 })
      await file.reserve(Uint32Array.of(4))
      await file.close()
      expect(lstatSync(world.data).size).toBe(5 * 8192)
    })

    test('a segment that holds a block is reserved where the file does not have it', async () => {
      await using world = setUp(makeBinding)
      const small = await world.open({ numSlots: 2 })
      await storeBlocks(small, world.runtime, [0])
      await small.close()
      const file = await world.open({ numSlots: 8, segmentBytes: 8 * 8192 })
      expect(file.describe().facts.reservedBytes).toBe(0)
      await file.reserve(Uint32Array.of(1))
      expect(file.describe().facts.reservedBytes).toBe(8 * 8192)
      expect(lstatSync(world.data).size).toBe(8 * 8192)
      expect(await readSlot(file, world.runtime, 0)).toEqual(blockOf(0, 8192))
    })

    posixTest('so is a segment of which the file has a hole, and its blocks are left alone', async () => {
      await using world = setUp(makeBinding)
      const small = await world.open({ numSlots: 2 })
      await storeBlocks(small, world.runtime, [0])
      await small.close()
      truncateSync(world.data, 8 * 8192)
      const file = await world.open({ numSlots: 8, segmentBytes: 8 * 8192 })
      await file.reserve(Uint32Array.of(1))
      // The portable twin cannot fill a hole, and says so.
      const { growth } = file.describe().facts
      expect(growth === 'sparse' || lstatSync(world.data).blocks * 512 >= 8 * 8192).toBe(true)
      expect(growth).not.toBe('none yet')
      expect(await readSlot(file, world.runtime, 0)).toEqual(blockOf(0, 8192))
    })

    test('reserving a segment that holds blocks leaves them alone', async () => {
      await using world = await withBlocks(makeBinding)
      const { file } = await world.reopen()
      await file.reserve(Uint32Array.of(0, 1, 7))
      expect(await readSlot(file, world.runtime, 3)).toEqual(blockOf(3, 8192))
      await file.close()
    })
  })

  describe('geometry', () => {
    test.each([
      [512, 512, /not a multiple of 4096/],
      [5000, 8192, /not a multiple of 4096/],
      [8192, 8192, undefined],
    ])('slots of %i bytes begin every %i', async (slotBytes, slotStride, note) => {
      await using world = setUp(makeBinding)
      const file = await world.open({ slotBytes, numSlots: 3 })
      expect(file.slotStride).toBe(slotStride)
      expect(file.storage.sizeBytes).toBe(3 * slotStride)
      if (note) expect(file.describe().notes.join()).toMatch(note)
      await storeBlocks(file, world.runtime, [0, 1, 2])
      for (const slot of [0, 1, 2]) expect(await readSlot(file, world.runtime, slot)).toEqual(blockOf(slot, slotBytes))
      await file.close()
    })

    test('two fingerprints live side by side, each with its text for people', async () => {
      await using world = await withBlocks(makeBinding)
      const other = await world.open({ fingerprint: '{"model":"other"}', slotBytes: 4096 })
      const ours = await world.open()
      expect(other.recovered.count).toBe(0)
      expect(ours.recovered.count).toBe(4)
      expect(readdirSync(world.root).sort()).toEqual([FINGERPRINT, '{"model":"other"}'].map(directoryNameOf).sort())
      expect(readFileSync(world.at('fingerprint.json'), 'utf8')).toBe(`${FINGERPRINT}\n`)
      await other.close()
      await ours.close()
    })

    posixTest('directories are 0700, files 0600', async () => {
      await using world = await withBlocks(makeBinding)
      expect(lstatSync(world.root).mode & 0o777).toBe(0o700)
      expect(lstatSync(world.at('.')).mode & 0o777).toBe(0o700)
      for (const name of readdirSync(world.at('.'))) expect(lstatSync(world.at(name)).mode & 0o777, name).toBe(0o600)
    })
  })

  describe('change counters', () => {
    test('a commit raises the counters of the touched table segments only, and reopening continues them', async () => {
      await using world = setUp(makeBinding)
      const file = await world.open({ numSlots: 3 * 4096 })
      await Promise.all([storeBlocks(file, world.runtime, [0, 5, 8200]), storeBlocks(file, world.runtime, [1], [1])])
      await file.close()
      expect(world.counters(3)).toEqual([2n, 0n, 1n])
      const again = await world.open({ numSlots: 3 * 4096 })
      await storeBlocks(again, world.runtime, [4096])
      await again.close()
      expect(world.counters(3)).toEqual([2n, 1n, 1n])
    })
  })

  describe('misuse and the end', () => {
    test('a slot that is none is a RangeError and changes nothing', async () => {
      await using world = await withBlocks(makeBinding)
      const { file } = await world.reopen()
      for (const act of [file.reserve, file.invalidate]) {
        await expect(act.call(file, Uint32Array.of(0, 8))).rejects.toThrow(/slot: expected 0 to 7, got 8/)
      }
      await expect(file.commit(rowsOf([8], [1], [0]))).rejects.toThrow(RangeError)
      await file.close()
      const { file: again } = await world.reopen()
      expect(again.recovered.count).toBe(4)
      await again.close()
    })

    test('columns of unequal length are a RangeError that names the column', async () => {
      await using world = setUp(makeBinding)
      const file = await world.open()
      const rows = rowsOf([1, 2], [1, 2], [0, 0])
      await expect(file.commit({ ...rows, positions: Uint32Array.of(1) })).rejects.toThrow(/rows.positions.length/)
      await expect(file.commit({ ...rows, parents: new Uint32Array(4) })).rejects.toThrow(/rows.parents.length/)
      await file.close()
    })

    test('nothing to do is done at once', async () => {
      await using world = setUp(makeBinding)
      const file = await world.open()
      await file.reserve(new Uint32Array(0))
      await file.invalidate(new Uint32Array(0))
      await file.commit(rowsOf([], [], []))
      await file.close()
    })

    test('closing awaits commits under way, is idempotent, and ends every method', async () => {
      await using world = setUp(makeBinding)
      const file = await world.open()
      const committed = file.commit(await writeBlocks(file, world.runtime, [1], [1]))
      await Promise.all([file.close(), file.close()])
      await committed
      const closed = hasCode('KVBM_CLOSED')
      await expect(file.reserve(Uint32Array.of(1))).rejects.toSatisfy(closed)
      await expect(file.invalidate(Uint32Array.of(1))).rejects.toSatisfy(closed)
      await expect(file.commit(rowsOf([1], [1], [0]))).rejects.toSatisfy(closed)
      const { file: again } = await world.reopen()
      expect(recoveredNames(again)).toEqual(new Map([[1, 1]]))
      await again.close()
    })
  })
})

/** Opening fails with this reason, and afterwards every file is as it was. */
async function refusesUnchanged(world: Awaited<ReturnType<typeof withBlocks>>, reason: RegExp): Promise<void> {
  const before = world.contents()
  const failure = await world.open().catch((error: unknown) => error)
  expect(failure).toSatisfy(hasCode('KVBM_DIRECTORY_FOREIGN'))
  expect(String(failure)).toMatch(reason)
  expect(world.contents()).toEqual(before)
}

/** A world with blocks 0 to 3 in slots 0 to 3, closed again. */
async function withBlocks(makeBinding: () => Binding) {
  const world = setUp(makeBinding)
  const file = await world.open()
  await storeBlocks(file, world.runtime, [0, 1, 2, 3])
  await file.close()
  return world
}

function setUp(makeBinding: () => Binding) {
  const runtime = useRuntime(makeBinding())
  const directory = new TemporaryDirectory()
  const root = directory.at('cache')
  const at = (name: string) => directory.at('cache', directoryNameOf(FINGERPRINT), name)
  const opened: SlotFile[] = []
  const open = async (options: Partial<OpenSlotsOptions> = {}) => {
    const all = { fingerprint: FINGERPRINT, numSlots: 8, slotBytes: 8192, ...options }
    const file = await new DiskAllocator(root, { runtime }).openSlots(all)
    opened.push(file)
    return file
  }
  const reopen = async () => {
    const file = await open()
    return { file, recovered: file.recovered }
  }
  return {
    runtime,
    root,
    at,
    open,
    reopen,
    table: at('slots.kvbm'),
    data: at('blocks.kvbm'),
    contents: () =>
      Object.fromEntries(readdirSync(at('.')).map((name) => [name, readFileSync(at(name)).toString('base64')])),
    flip(path: string, offset: number) {
      const bytes = readFileSync(path)
      bytes[offset]! ^= 4
      writeFileSync(path, bytes)
    },
    overwriteSuperblock(fields: object) {
      const base = { formatVersion: 1, epoch: 1, generationFloor: 1, numSlots: 8, slotBytes: 8192, slotStride: 8192 }
      for (const sequence of [100, 101]) {
        const copy = { ...base, fingerprint: FINGERPRINT, sequence, ...fields }
        const handle = openSync(at('slots.kvbm'), 'r+')
        writeSync(handle, encodeSuperblock(copy, runtime.binding), 0, undefined, (sequence % 2) * COPY_BYTES)
        closeSync(handle)
      }
    },
    counters: (count: number) => {
      const bytes = readFileSync(at('slots.kvbm'))
      return Array.from({ length: count }, (_, index) => bytes.readBigUInt64LE(COUNTERS_OFFSET + index * 8))
    },
    /** Of the records that an opening keeps, ascending. */
    async generations() {
      await (await open()).close()
      const { binding } = runtime
      const table = await binding.openFile({ path: at('slots.kvbm'), write: false, create: false, direct: false })
      const { generations } = await binding.readSlots(table.id, TABLE_OFFSET, 8)
      binding.closeRegion(table.id)
      return generations
    },
    async [Symbol.asyncDispose]() {
      for (const file of opened) await file.close()
      await runtime.close()
      directory[Symbol.dispose]()
    },
  }
}
