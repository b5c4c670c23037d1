import { createHash } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { Binding } from '@kvbm/native'
import { describe, expect, test } from 'vitest'
import {
  DiskAllocator,
  type LockClock,
  type SlotFile,
  slotDirectoryName,
  slotOverheadBytes,
  withDirectoryLock,
} from '../src/index.js'
import { COPY_BYTES, encodeSuperblock } from '../src/superblock.js'
import { onEachBinding, useRuntime } from './support/bindings.js'
import { blockOf, readSlot, recoveredNames, storeBlocks } from './support/blocks.js'
import { posixTest } from './support/posix.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

const MIB = 2 ** 20
const SLOT_BYTES = 65_536
/** Files grow by so much. */
const SEGMENT_BYTES = 4 * SLOT_BYTES

onEachBinding((makeBinding) => {
  describe('several fingerprints under one quota', () => {
    test('closed ones make room when one grows, the longest unused first, and what lies there stays within the quota', async () => {
      await using world = setUp(makeBinding)
      const quotaBytes = 8 * MIB
      const names: string[] = []
      for (const fingerprint of ['a', 'b', 'c', 'd', 'e']) {
        const file = await world.open(fingerprint, { quotaBytes, numSlots: 32 })
        await file.reserve(firstSlots(16))
        expect(world.usedBytes()).toBeLessThanOrEqual(quotaBytes)
        await file.close()
        names.push(slotDirectoryName(fingerprint))
        world.age(fingerprint, names.length)
      }
      const left = world.names()
      expect(left.length).toBeGreaterThan(1)
      expect(left.length).toBeLessThan(5)
      expect(left).toEqual(names.slice(-left.length).sort())
    })

    test('an open one is never removed: the next has the slots that are left, and says so', async () => {
      await using world = setUp(makeBinding)
      const quotaBytes = 8 * MIB
      const first = await world.open('first', { quotaBytes, numSlots: 64 })
      await storeBlocks(first, world.runtime, [0])
      const second = await world.open('second', { quotaBytes, numSlots: 64 })
      expect(second.numSlots).toBeGreaterThan(0)
      expect(second.numSlots).toBeLessThan(64)
      expect(world.log).toEqual([expect.stringMatching(/slots fit into the quota of 8388608 bytes/)])
      await first.reserve(firstSlots(64))
      await second.reserve(firstSlots(second.numSlots))
      expect(world.usedBytes()).toBeLessThanOrEqual(quotaBytes)
    })

    test('where not one slot fits it is refused with the sizes and what to do, and nothing was removed', async () => {
      await using world = setUp(makeBinding)
      const quotaBytes = slotOverheadBytes(16) + 16 * (SLOT_BYTES + 64)
      await world.store('closed', [0])
      const open = await world.open('open', { quotaBytes, numSlots: 16 })
      const before = world.names()
      await expect(world.open('late', { quotaBytes, numSlots: 16 })).rejects.toMatchObject({
        code: 'KVBM_STORAGE_FULL',
        message: expect.stringMatching(
          /no room for one block of 65536 bytes: its quota is \d+ bytes, \d+ belong.*Raise the quota/,
        ),
      })
      expect(world.names()).toEqual(before)
      await open.close()
    })

    test('what it may not grow by is refused, and it goes on with what it has', async () => {
      await using world = setUp(makeBinding)
      const greedy = await world.open('without a quota', { numSlots: 64 })
      const file = await world.open('with one', { quotaBytes: 16 * MIB, numSlots: 64 })
      await storeBlocks(file, world.runtime, [0])
      // Whoever has no quota of its own may take more than it was opened for.
      writeFileSync(join(world.root, slotDirectoryName('without a quota'), 'blocks.kvbm'), new Uint8Array(15 * MIB))
      await expect(file.reserve(Uint32Array.of(63))).rejects.toMatchObject({
        code: 'KVBM_STORAGE_FULL',
        message: expect.stringMatching(/no room to grow by 262144 bytes/),
      })
      await storeBlocks(file, world.runtime, [1])
      expect(await readSlot(file, world.runtime, 1)).toEqual(blockOf(1, SLOT_BYTES))
      await greedy.close()
    })
  })

  describe('what a file has when it is opened again', () => {
    test('is not asked for again, and what it has not is, also beside a block', async () => {
      await using world = setUp(makeBinding)
      await world.store('ours', [0, 1, 2, 3, 4], { numSlots: 5 })
      const greedy = await world.open('without a quota', { numSlots: 64 })
      const file = await world.open('ours', { quotaBytes: 16 * MIB, numSlots: 64 })
      writeFileSync(join(world.root, slotDirectoryName('without a quota'), 'blocks.kvbm'), new Uint8Array(16 * MIB))
      await file.reserve(firstSlots(4))
      await expect(file.reserve(Uint32Array.of(5))).rejects.toMatchObject({
        code: 'KVBM_STORAGE_FULL',
        message: expect.stringMatching(/no room to grow by 196608 bytes/),
      })
      expect(file.describe().facts.reservedBytes).toBe(SEGMENT_BYTES)
      await greedy.close()
    })

    test('after fewer slots and more again, what all take stays within the quota', async () => {
      await using world = setUp(makeBinding)
      const quotaBytes = 16 * MIB
      await world.store('a', [0], { quotaBytes, numSlots: 200 })
      await (await world.open('a', { quotaBytes, numSlots: 10 })).close()
      const b = await world.open('b', { quotaBytes, numSlots: 150 })
      await storeBlocks(b, world.runtime, [0])
      const a = await world.open('a', { quotaBytes, numSlots: 200 })
      for (const file of [a, b]) await storeBlocks(file, world.runtime, [...Array(file.numSlots).keys()])
      expect(world.usedBytes()).toBeLessThanOrEqual(quotaBytes)
    })
  })

  describe('larger and smaller on reopen', () => {
    test('a smaller quota cuts the file and keeps the blocks below the cut; a larger one gives the slots back', async () => {
      await using world = setUp(makeBinding)
      const names = [...Array(64).keys()]
      await world.store('ours', names, { quotaBytes: 16 * MIB, numSlots: 64 })
      const quotaBytes = 3 * MIB
      const small = await world.open('ours', { quotaBytes, numSlots: 64 })
      const kept = [...recoveredNames(small).keys()].sort((a, b) => a - b)
      expect(small.numSlots).toBeLessThan(32)
      expect(kept).toEqual(names.slice(0, small.numSlots))
      expect(world.usedBytes()).toBeLessThanOrEqual(quotaBytes)
      await small.close()
      const large = await world.open('ours', { quotaBytes: 16 * MIB, numSlots: 64 })
      expect(large.numSlots).toBe(64)
      expect([...recoveredNames(large).keys()].sort((a, b) => a - b)).toEqual(kept)
      await storeBlocks(large, world.runtime, [63])
      for (const name of [...kept, 63])
        expect(await readSlot(large, world.runtime, name)).toEqual(blockOf(name, SLOT_BYTES))
    })

    test('others are removed before the file that is opened loses a block', async () => {
      await using world = setUp(makeBinding)
      await world.grow('other', 32)
      await world.store('ours', [...Array(32).keys()], { numSlots: 32 })
      const ours = await world.open('ours', { quotaBytes: 4 * MIB, numSlots: 32 })
      expect(ours.recovered.count).toBe(32)
      expect(world.names()).toEqual([slotDirectoryName('ours')])
    })
  })

  describe('what is not recognised stays as it is, and counts', () => {
    const spoil: Readonly<Record<string, (world: World, at: (name: string) => string) => void>> = {
      'a table that is not ours': (_, at) =>
        writeFileSync(at('slots.kvbm'), 'somebody wrote a letter here'.repeat(4000)),
      'a table of a newer format': (world, at) => world.overwriteSuperblock(at('slots.kvbm'), { formatVersion: 2 }),
      'a table of another fingerprint': (world, at) =>
        world.overwriteSuperblock(at('slots.kvbm'), { fingerprint: 'x' }),
      'a file of somebody else beside the table': (_, at) => writeFileSync(at('letters.txt'), 'precious'),
      'no table': (_, at) => rmSync(at('slots.kvbm')),
    }
    test.each(Object.keys(spoil))('%s', async (what) => {
      await using world = setUp(makeBinding)
      await world.grow('old', 32)
      const at = (name: string): string => join(world.root, slotDirectoryName('old'), name)
      spoil[what]!(world, at)
      rmSync(at('lock'))
      mkdirSync(join(world.root, 'letters'))
      writeFileSync(join(world.root, 'letters', 'one.txt'), 'dear')
      const before = world.contentsOf(slotDirectoryName('old'))
      const file = await world.open('new', { quotaBytes: 5 * MIB, numSlots: 64 })
      expect(file.numSlots).toBeLessThan(32)
      await file.reserve(firstSlots(file.numSlots))
      expect(world.contentsOf(slotDirectoryName('old'))).toEqual(before)
      expect(readFileSync(join(world.root, 'letters', 'one.txt'), 'utf8')).toBe('dear')
    })

    test('also where the fingerprint that is opened should lie: refused, others untouched', async () => {
      await using world = setUp(makeBinding)
      await world.store('other', [0])
      await world.store('ours', [0])
      world.overwriteSuperblock(join(world.root, slotDirectoryName('ours'), 'slots.kvbm'), { formatVersion: 7 })
      const before = world.contents()
      await expect(world.open('ours', { quotaBytes: 2 * MIB, numSlots: 8 })).rejects.toMatchObject({
        code: 'KVBM_DIRECTORY_FOREIGN',
        message: expect.stringMatching(/format 7 by a newer version for ours/),
      })
      expect(world.contents()).toEqual(before)
    })

    test('a table whose superblocks are torn, beside the text that names it, is ours and goes', async () => {
      await using world = setUp(makeBinding)
      await world.grow('torn', 32)
      const table = join(world.root, slotDirectoryName('torn'), 'slots.kvbm')
      const bytes = readFileSync(table)
      for (const place of [20, COPY_BYTES + 20]) bytes[place]! ^= 1
      writeFileSync(table, bytes)
      const file = await world.open('new', { quotaBytes: 4 * MIB, numSlots: 32 })
      await file.reserve(firstSlots(32))
      expect(existsSync(table)).toBe(false)
    })
  })

  posixTest('the lock of the whole directory is the only file that a quota adds', async () => {
    await using world = setUp(makeBinding)
    await world.store('ours', [0], { quotaBytes: 8 * MIB })
    expect(readdirSync(world.root).sort()).toEqual([slotDirectoryName('ours'), 'directory.lock'].sort())
    expect(lstatSync(join(world.root, 'directory.lock')).mode & 0o777).toBe(0o600)
  })

  test('two that grow at once wait for each other', async () => {
    await using world = setUp(makeBinding)
    const files = await Promise.all(
      ['a', 'b'].map((fingerprint) => world.open(fingerprint, { quotaBytes: 16 * MIB, numSlots: 32 })),
    )
    await Promise.all(files.map((file) => file.reserve(firstSlots(32))))
    expect(world.usedBytes()).toBeLessThanOrEqual(16 * MIB)
  })
})

test.each([0, -1, 1.5, Number.NaN])('a quota of %d is a RangeError', (quotaBytes) => {
  expect(() => new DiskAllocator('somewhere', { quotaBytes })).toThrow(/quotaBytes/)
})

test('the short lock of a directory is held by one at a time; who waits too long for it is told', async () => {
  using directory = new TemporaryDirectory()
  const clock = new SteppedClock()
  const order: string[] = []
  await withDirectoryLock(directory.path, async () => {
    let waits = true
    const second = withDirectoryLock(directory.path, async () => order.push('second'), { clock })
    const refused = second
      .catch((error: unknown) => error)
      .finally(() => {
        waits = false
      })
    for (; waits; await setImmediate()) clock.advance(1000)
    expect(await refused).toMatchObject({ code: 'KVBM_DIRECTORY_LOCKED' })
    order.push('first')
  })
  expect(order).toEqual(['first'])
  expect(await withDirectoryLock(directory.path, async () => 'free again')).toBe('free again')
})

class SteppedClock implements LockClock {
  #now = 0
  #due: { at: number; run: () => void }[] = []

  now(): number {
    return this.#now
  }

  after(delayMs: number, run: () => void): () => void {
    const entry = { at: this.#now + delayMs, run }
    this.#due.push(entry)
    return () => {
      this.#due = this.#due.filter((one) => one !== entry)
    }
  }

  advance(ms: number): void {
    this.#now += ms
    const due = this.#due.filter(({ at }) => at <= this.#now)
    this.#due = this.#due.filter(({ at }) => at > this.#now)
    for (const { run } of due) run()
  }
}

function firstSlots(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, slot) => slot)
}

interface OpenOptions {
  readonly quotaBytes?: number
  readonly numSlots?: number
}

type World = ReturnType<typeof setUp>

function setUp(makeBinding: () => Binding) {
  const runtime = useRuntime(makeBinding())
  const directory = new TemporaryDirectory()
  const root = directory.at('cache')
  const opened: SlotFile[] = []
  const log: string[] = []
  const silent = (): void => {}
  const logger = { debug: silent, info: silent, warn: (text: string) => void log.push(text), error: silent }
  const open = async (fingerprint: string, { quotaBytes, numSlots = 8 }: OpenOptions = {}): Promise<SlotFile> => {
    const allocator = new DiskAllocator(root, { runtime, ...(quotaBytes === undefined ? {} : { quotaBytes }) })
    const slots = { fingerprint, numSlots, slotBytes: SLOT_BYTES, segmentBytes: SEGMENT_BYTES, logger }
    const file = await allocator.openSlots(slots)
    opened.push(file)
    return file
  }
  const names = (): string[] =>
    readdirSync(root)
      .filter((name) => /^[0-9a-f]{16}$/.test(name))
      .sort()
  const contentsOf = (name: string) =>
    Object.fromEntries(
      readdirSync(join(root, name)).map((file) => [
        file,
        createHash('sha256')
          .update(readFileSync(join(root, name, file)))
          .digest('hex'),
      ]),
    )
  return {
    runtime,
    root,
    log,
    open,
    names,
    contentsOf,
    contents: () => Object.fromEntries(names().map((name) => [name, contentsOf(name)])),
    usedBytes: () =>
      names().reduce(
        (sum, name) =>
          readdirSync(join(root, name)).reduce(
            (bytes, file) => bytes + statSync(join(root, name, file)).blocks * 512,
            sum,
          ),
        0,
      ),
    /** Stores blocks and closes the file. */
    store: async (fingerprint: string, slots: readonly number[], options: OpenOptions = {}) => {
      const file = await open(fingerprint, options)
      await storeBlocks(file, runtime, [...slots])
      await file.close()
    },
    /** The same with space instead of blocks. */
    grow: async (fingerprint: string, numSlots: number) => {
      const file = await open(fingerprint, { numSlots })
      await file.reserve(firstSlots(numSlots))
      await file.close()
    },
    /** So many seconds after 1970. */
    age: (fingerprint: string, seconds: number) => {
      const path = join(root, slotDirectoryName(fingerprint))
      for (const file of readdirSync(path)) utimesSync(join(path, file), seconds, seconds)
    },
    overwriteSuperblock: (path: string, fields: object) => {
      const bytes = readFileSync(path)
      const base = {
        formatVersion: 1,
        epoch: 1,
        generationFloor: 1,
        numSlots: 8,
        slotBytes: SLOT_BYTES,
        slotStride: SLOT_BYTES,
      }
      const fingerprint = readFileSync(join(path, '..', 'fingerprint.json'), 'utf8').trim()
      for (const sequence of [100, 101])
        bytes.set(
          encodeSuperblock({ ...base, fingerprint, sequence, ...fields }, runtime.binding),
          (sequence % 2) * COPY_BYTES,
        )
      writeFileSync(path, bytes)
    },
    async [Symbol.asyncDispose]() {
      for (const file of opened) await file.close()
      await runtime.close()
      directory[Symbol.dispose]()
    },
  }
}
