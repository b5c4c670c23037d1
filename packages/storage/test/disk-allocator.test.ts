import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { KvbmError, type KvbmErrorCode } from '@kvbm/core'
import type { Binding } from '@kvbm/native'
import { describe, expect, test } from 'vitest'
import { DiskAllocator, type NativeTransferRuntime, wrapMemory } from '../src/index.js'
import { onEachBinding, useRuntime } from './support/bindings.js'
import { blockOf } from './support/blocks.js'
import { boundMethods } from './support/bound-methods.js'
import { IMPOSTORS, impostorsFor } from './support/impostors.js'
import { isPosix, posixTest } from './support/posix.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

const hasCode = (code: KvbmErrorCode) => (error: unknown) => KvbmError.is(error, code)

onEachBinding((makeBinding) => {
  describe('a directory that is not ours to write is refused', () => {
    posixTest('a symbolic link, also with a slash behind it', async () => {
      await using world = setUp(makeBinding)
      mkdirSync(world.at('real'), { mode: 0o700 })
      symlinkSync(world.at('real'), world.at('link'))
      for (const path of [world.at('link'), `${world.at('link')}/`]) {
        await expect(world.allocate(path)).rejects.toThrow(/symbolic link/)
      }
    })

    test('a file', async () => {
      await using world = setUp(makeBinding)
      writeFileSync(world.at('file'), '')
      await expect(world.allocate(world.at('file'))).rejects.toSatisfy(hasCode('KVBM_DIRECTORY_FOREIGN'))
      await expect(world.allocate(world.at('file', 'below'))).rejects.toSatisfy(hasCode('KVBM_DIRECTORY_FOREIGN'))
    })

    posixTest('one that others may write, with the mode and the cure', async () => {
      await using world = setUp(makeBinding)
      mkdirSync(world.at('open'))
      chmodSync(world.at('open'), 0o775)
      await expect(world.allocate(world.at('open'))).rejects.toThrow(/mode 775; chmod go-w/)
    })

    describe.skipIf(!isPosix)('in the place of one of its files', () => {
      const files = ['storage.bin', 'storage.lock', 'storage.lock-holder.txt']
      test.each(impostorsFor(files))('$impostor: $name', async ({ name, impostor }) => {
        await using world = setUp(makeBinding)
        mkdirSync(world.at('cache'), { mode: 0o700 })
        writeFileSync(world.at('elsewhere'), 'precious', { mode: 0o600 })
        IMPOSTORS[impostor]!(world.at('cache', name), world.at('elsewhere'))
        await expect(world.allocate(world.at('cache'))).rejects.toSatisfy(hasCode('KVBM_DIRECTORY_FOREIGN'))
        expect(readFileSync(world.at('elsewhere'), 'utf8')).toBe('precious')
      })
    })

    test.skipIf(!isPosix || process.getuid?.() !== 0)("another user's (needs root to arrange)", async () => {
      const { chownSync } = await import('node:fs')
      await using world = setUp(makeBinding)
      mkdirSync(world.at('theirs'), { mode: 0o700 })
      chownSync(world.at('theirs'), 4242, 4242)
      await expect(world.allocate(world.at('theirs'))).rejects.toThrow(/belongs to user 4242/)
    })
  })

  describe('named files', () => {
    posixTest('directory and file are private, parents are made', async () => {
      await using world = setUp(makeBinding)
      const storage = await world.allocate(world.at('a', 'b'), 'tier')
      expect(lstatSync(world.at('a', 'b')).mode & 0o777).toBe(0o700)
      expect(lstatSync(world.at('a', 'b', 'tier.bin')).mode & 0o777).toBe(0o600)
      await storage.close()
    })

    test('a second user of the same file is refused until the first closes it', async () => {
      await using world = setUp(makeBinding)
      const first = await world.allocate(world.at('cache'))
      await expect(world.allocate(world.at('cache'))).rejects.toSatisfy(hasCode('KVBM_DIRECTORY_LOCKED'))
      await first.close()
      await (await world.allocate(world.at('cache'))).close()
    })

    test('it keeps its bytes and its name from one opening to the next (case 17: ours stays linked)', async () => {
      await using world = setUp(makeBinding)
      const first = await world.allocate(world.at('cache'))
      await world.write(first.regionId, 4096, blockOf(1, 4096))
      await first.close()
      expect(existsSync(world.at('cache', 'storage.bin'))).toBe(true)
      const again = await world.allocate(world.at('cache'))
      expect(await world.read(again.regionId, 4096, 4096)).toEqual(blockOf(1, 4096))
      await again.close()
    })

    test.each([1234, 4096, 4097, 1_000_000, 16 * 2 ** 20])(
      '%i bytes from any address go in and out (cases 12, 13)',
      async (length) => {
        await using world = setUp(makeBinding)
        const storage = await world.allocate(world.at('cache'), 'storage', length)
        const bytes = blockOf(length, length + 3).subarray(3)
        await world.write(storage.regionId, 0, bytes)
        expect(Buffer.compare(await world.read(storage.regionId, 0, length), bytes)).toBe(0)
        await storage.close()
      },
    )

    test.each([1, 4095, 1_000_003, 10_000_000])(
      '%i reserved bytes read as zeros, and the file has exactly that size (cases 14, 15)',
      async (length) => {
        await using world = setUp(makeBinding)
        const storage = await world.allocate(world.at('cache'), 'storage', length)
        expect((await world.read(storage.regionId, 0, length)).every((byte) => byte === 0)).toBe(true)
        expect(['allocated', 'zero-filled', 'sparse']).toContain(storage.describe().facts.growth)
        await storage.close()
        expect(lstatSync(world.at('cache', 'storage.bin')).size).toBe(length)
      },
    )

    test('growing keeps what was there, and reopening smaller shortens nothing', async () => {
      await using world = setUp(makeBinding)
      const small = await world.allocate(world.at('cache'), 'storage', 4096)
      await world.write(small.regionId, 0, blockOf(2, 4096))
      await small.close()
      const large = await world.allocate(world.at('cache'), 'storage', 65_536)
      expect(await world.read(large.regionId, 0, 4096)).toEqual(blockOf(2, 4096))
      await large.close()
      await (await world.allocate(world.at('cache'), 'storage', 4096)).close()
      expect(lstatSync(world.at('cache', 'storage.bin')).size).toBe(65_536)
    })

    test('says whether direct I/O is on, and why not', async () => {
      await using world = setUp(makeBinding)
      const storage = await world.allocate(world.at('cache'))
      const { facts, notes } = storage.describe()
      if (facts.directIo !== true) expect(notes.join()).not.toBe('')
      await storage.close()
      const buffered = await new DiskAllocator(world.at('off'), { runtime: world.runtime, directIo: 'off' }).allocate({
        sizeBytes: 4096,
      })
      expect(buffered.describe()).toMatchObject({
        facts: { directIo: false },
        notes: ['Direct I/O is off, as asked for.'],
      })
      await buffered.close()
    })

    test('where direct I/O does not work, the reason that the probe found is reported, and bytes go in and out', async () => {
      const openFile: Binding['openFile'] = async (options) => {
        const region = await inner.openFile({ ...options, direct: false })
        return { ...region, note: options.direct ? 'Direct I/O is off: this file system cannot.' : '' }
      }
      const inner = makeBinding()
      await using world = setUp(() => ({ ...boundMethods(inner), openFile }))
      const storage = await world.allocate(world.at('cache'))
      expect(storage.describe()).toMatchObject({
        facts: { directIo: false },
        notes: ['Direct I/O is off: this file system cannot.'],
      })
      await world.write(storage.regionId, 4096, blockOf(1, 4096))
      expect(await world.read(storage.regionId, 4096, 4096)).toEqual(blockOf(1, 4096))
      await storage.close()
    })

    test('space is taken in steps, and the file is as good as its weakest', async () => {
      const kinds = ['allocated', 'zero-filled', 'allocated', 'sparse', 'allocated'] as const
      const steps: number[] = []
      const reserveFile = async (_file: number, _offset: number, length: number) => kinds[steps.push(length) - 1]!
      await using world = setUp(() => ({ ...boundMethods(makeBinding()), reserveFile }))
      const described = async (label: string, mebibytes: number) => {
        const storage = await world.allocate(world.at('cache'), label, mebibytes * 2 ** 20)
        await storage.close()
        return storage.describe()
      }
      const first = await described('first', 700)
      expect(steps.map((length) => length / 2 ** 20)).toEqual([256, 256, 188])
      expect(first.facts.growth).toBe('zero-filled')
      const second = await described('second', 512)
      expect(second.facts.growth).toBe('sparse')
      expect(second.notes.join()).toMatch(/reserves no space: a write may still find the disk full/)
    })

    test('bytes beyond 4 GiB of a lazy file are told apart from those before', async () => {
      await using world = setUp(makeBinding)
      const GIB = 2 ** 30
      const allocator = new DiskAllocator(world.at('cache'), { runtime: world.runtime })
      const storage = await allocator.allocate({ sizeBytes: 6 * GIB, lazy: true })
      expect(storage.describe().facts.growth).toBe('lazy')
      const places = [0, GIB, 4 * GIB, 5 * GIB]
      for (const [name, offset] of places.entries()) await world.write(storage.regionId, offset, blockOf(name, 8192))
      for (const [name, offset] of places.entries())
        expect(await world.read(storage.regionId, offset, 8192)).toEqual(blockOf(name, 8192))
      await storage.close()
      expect(lstatSync(world.at('cache', 'storage.bin')).size).toBe(6 * GIB)
    })

    test('a read of bytes that the file lost meanwhile is KVBM_STORAGE_IO', async () => {
      await using world = setUp(makeBinding)
      const storage = await world.allocate(world.at('cache'), 'storage', 65_536)
      truncateSync(world.at('cache', 'storage.bin'), 4096)
      await expect(world.read(storage.regionId, 0, 8192)).rejects.toSatisfy(hasCode('KVBM_STORAGE_IO'))
      await storage.close()
    })

    test('a label that would leave the directory is a RangeError', async () => {
      await using world = setUp(makeBinding)
      for (const label of ['../up', '.hidden', 'a/b', '', 'x'.repeat(65)]) {
        await expect(world.allocate(world.at('cache'), label)).rejects.toThrow(RangeError)
      }
    })
  })
})

test('an empty path is a RangeError', () => {
  expect(() => new DiskAllocator('')).toThrow(RangeError)
})

function setUp(makeBinding: () => Parameters<typeof useRuntime>[0]) {
  const runtime = useRuntime(makeBinding())
  const directory = new TemporaryDirectory()
  return {
    runtime,
    at: (...names: string[]) => directory.at(...names),
    allocate: (path: string, label = 'storage', sizeBytes = 65_536) =>
      new DiskAllocator(path, { runtime }).allocate({ sizeBytes, label }),
    write: (region: number, offset: number, bytes: Uint8Array) => copy(runtime, bytes, region, offset, 'in'),
    read: async (region: number, offset: number, lengthBytes: number) => {
      const into = new Uint8Array(lengthBytes)
      await copy(runtime, into, region, offset, 'out')
      return into
    },
    async [Symbol.asyncDispose]() {
      await runtime.close()
      directory[Symbol.dispose]()
    },
  }
}

async function copy(
  runtime: NativeTransferRuntime,
  bytes: Uint8Array,
  region: number,
  offset: number,
  direction: 'in' | 'out',
) {
  const memory = wrapMemory(bytes, { runtime })
  const row =
    direction === 'in'
      ? [memory.regionId, 0, region, offset, bytes.length]
      : [region, offset, memory.regionId, 0, bytes.length]
  try {
    await runtime.submit({ runs: Float64Array.from(row) })
  } finally {
    await memory.close()
  }
}
