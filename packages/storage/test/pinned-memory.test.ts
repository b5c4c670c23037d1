import type { StorageDescription } from '@kvbm/core'
import type { CommitResult } from '@kvbm/native'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createTransferRuntime, PinnedAllocator } from '../src/index.js'
import { onEachBinding, useRuntime } from './support/bindings.js'
import { boundMethods } from './support/bound-methods.js'
import { posixTest } from './support/posix.js'
import { bundleProgram, Program } from './support/program.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

/** What the meanest systems permit, so that nobody has to raise a limit for this test. */
const LOCKABLE_KILOBYTES = 64

const programs = new TemporaryDirectory()
let program = ''
beforeAll(async () => {
  program = await bundleProgram(new URL('./support/pinned-process.ts', import.meta.url), programs.path)
})
afterAll(() => programs[Symbol.dispose]())

onEachBinding((makeBinding, binding) => {
  describe('PinnedAllocator', () => {
    posixTest('within the lock limit memory is locked, by the best that is here', async () => {
      const { facts, notes } = await allocateAsOrdinaryUser(16 * 1024)
      if (binding === 'portable') {
        expect(facts.locked).toBe('touched')
        expect(notes.join()).toMatch(/cannot be locked without the native/)
      } else {
        expect(['cuda', 'os']).toContain(facts.locked)
      }
    })

    posixTest('where the lock limit forbids it, pages are touched, and it says so with the remedy', async () => {
      const { facts, notes } = await allocateAsOrdinaryUser(1024 * 1024)
      // The CUDA driver locks by itself, beside the limit.
      expect(['cuda', 'touched']).toContain(facts.locked)
      expect(facts.committedBytes).toBe(1024 * 1024)
      if (binding === 'native' && facts.locked === 'touched')
        expect(notes.join()).toMatch(/refused to lock 1048576 bytes.*(ulimit -l|memlock)/i)
    })

    test('memory that is writable and readable (case 21)', async () => {
      await using runtime = useRuntime(makeBinding())
      const storage = await new PinnedAllocator({ runtime }).allocate({ sizeBytes: 4096 })
      storage.bytes(0, 4096)!.fill(9)
      expect(storage.bytes(4095, 1)![0]).toBe(9)
      await storage.close()
    })

    test('lazy memory is neither locked nor touched until committed', async () => {
      await using runtime = useRuntime(makeBinding())
      const storage = await new PinnedAllocator({ runtime }).allocate({ sizeBytes: 4096, lazy: true })
      expect(storage.describe().facts).toMatchObject({ locked: 'no', committedBytes: 0 })
      storage.commit()
      await vi.waitUntil(() => storage.describe().facts.committedBytes === 4096)
      expect(storage.describe().facts.locked).not.toBe('no')
      await storage.close()
    })

    const DONE = { hugePages: true, note: '' }
    const REFUSED = { hugePages: true, note: 'the limit is reached' }
    test.each<[string, CommitResult[], object]>([
      [
        'all locked',
        [
          { ...DONE, locked: 'os' },
          { ...DONE, locked: 'os' },
        ],
        { locked: 'os', notes: [] },
      ],
      [
        'the limit reached midway',
        [
          { ...DONE, locked: 'os' },
          { ...REFUSED, locked: 'touched' },
        ],
        { locked: 'touched', notes: [REFUSED.note] },
      ],
      [
        'the driver refuses the first step only',
        [
          { ...REFUSED, locked: 'os' },
          { ...DONE, locked: 'cuda' },
        ],
        { locked: 'os', notes: [REFUSED.note] },
      ],
    ])('large memory is locked in steps, and is as good as its weakest: %s', async (_, steps, expected) => {
      const asked: number[] = []
      const fake = async (_region: number, _offset: number, length: number): Promise<CommitResult> => {
        asked.push(length)
        return steps[asked.length - 1]!
      }
      await using runtime = createTransferRuntime({
        binding: { ...boundMethods(makeBinding()), commitMemory: fake },
        threads: 1,
      })
      const storage = await new PinnedAllocator({ runtime }).allocate({ sizeBytes: 100 * 2 ** 20 })
      expect(asked).toEqual([64 * 2 ** 20, 36 * 2 ** 20])
      const { facts, notes } = storage.describe()
      expect({ locked: facts.locked, notes }).toEqual(expected)
      await storage.close()
    })
  })

  async function allocateAsOrdinaryUser(sizeBytes: number): Promise<StorageDescription> {
    await using child = new Program(program, { binding, sizeBytes }, { lockableKilobytes: LOCKABLE_KILOBYTES })
    return JSON.parse(await child.line()) as StorageDescription
  }
})
