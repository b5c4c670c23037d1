import type { Binding, CommitResult } from '@kvbm/native'
import { describe, expect, test, vi } from 'vitest'
import { createTransferRuntime, PinnedAllocator, SystemAllocator } from '../src/index.js'
import { MemoryStorage } from '../src/memory-storage.js'
import { onEachBinding } from './support/bindings.js'
import { boundMethods } from './support/bound-methods.js'

const MiB = 2 ** 20
const TOUCHED: CommitResult = { locked: 'touched', hugePages: true, hugeBytes: 2 * MiB, note: '' }

interface Step {
  readonly offset: number
  finish(result?: CommitResult): void
  fail(error: Error): void
}

/** A binding whose commits end when the test says so. */
function slowBinding(inner: Binding) {
  const steps: Step[] = []
  const closed: number[] = []
  const binding: Binding = {
    ...boundMethods(inner),
    commitMemory: (_region, offset) =>
      new Promise((resolve, reject) => {
        steps.push({ offset, finish: (result = TOUCHED) => resolve(result), fail: reject })
      }),
    closeRegion: (region) => {
      closed.push(region)
      inner.closeRegion(region)
    },
  }
  return { binding, steps, closed }
}

function memory(binding: Binding, { sizeBytes = 150 * MiB, lock = false } = {}): MemoryStorage {
  return new MemoryStorage({ binding, kind: 'system', sizeBytes, label: 'test', lock })
}

onEachBinding((makeBinding) => {
  describe('memory', () => {
    test('is there before any of it is real, also for allocators, unless it is to be locked', async () => {
      const { binding, steps } = slowBinding(makeBinding())
      await using runtime = createTransferRuntime({ binding, threads: 1 })
      const storage = await new SystemAllocator({ runtime }).allocate({ sizeBytes: 4096 })
      storage.bytes(0, 4096)!.fill(7)
      expect(storage.describe().facts.committedBytes).toBe(0)
      expect(steps).toHaveLength(1)
      steps[0]!.finish()
      await vi.waitUntil(() => storage.describe().facts.committedBytes === 4096)
      await storage.close()

      const pinning = new PinnedAllocator({ runtime }).allocate({ sizeBytes: 4096 })
      let isThere = false
      void pinning.then(() => (isThere = true))
      await new Promise(setImmediate)
      expect(isThere).toBe(false)
      steps[1]!.finish()
      await (await pinning).close()
    })

    test('becomes real in the background, one step after the other, however often it is asked', async () => {
      const { binding, steps } = slowBinding(makeBinding())
      const storage = memory(binding)
      storage.commit()
      storage.commit()
      expect(steps.map(({ offset }) => offset)).toEqual([0])
      for (const count of [1, 2, 3]) {
        await vi.waitUntil(() => steps.length === count)
        steps[count - 1]!.finish()
      }
      await storage.committed()
      expect(steps.map(({ offset }) => offset)).toEqual([0, 64 * MiB, 128 * MiB])
      expect(storage.describe().facts).toMatchObject({
        committedBytes: 150 * MiB,
        hugePages: 'advised',
        hugeBytes: 6 * MiB,
      })
      storage.commit()
      expect(steps).toHaveLength(3)
      await storage.close()
    })

    test('that closes meanwhile waits for the step that runs, and begins no other', async () => {
      const { binding, steps, closed } = slowBinding(makeBinding())
      const storage = memory(binding)
      storage.commit()
      let isClosed = false
      const closing = storage.close().then(() => (isClosed = true))
      await new Promise(setImmediate)
      expect({ isClosed, closed }).toEqual({ isClosed: false, closed: [storage.regionId] })
      steps[0]!.finish()
      await closing
      expect(steps).toHaveLength(1)
      expect(() => storage.commit()).toThrow(expect.objectContaining({ code: 'KVBM_CLOSED' }))
    })

    test('that really closes in the middle of a commit of the binding harms nobody', async () => {
      const binding = makeBinding()
      for (let round = 0; round < 8; round++) {
        const storage = memory(binding, { sizeBytes: 80 * MiB })
        storage.commit()
        storage.bytes(0, 4096)!.fill(round)
        await storage.close()
      }
    })

    test('whose background commit fails goes on being usable, says why, and does not try again by itself', async () => {
      const { binding, steps } = slowBinding(makeBinding())
      const storage = memory(binding)
      storage.commit()
      steps[0]!.fail(new Error('no pages today'))
      await vi.waitUntil(() => storage.describe().notes.includes('no pages today'))
      storage.commit()
      expect(steps).toHaveLength(1)
      storage.bytes(0, 1)!.fill(1)
      await storage.close()
    })

    test('whose commit failed is committed wholly by those who ask again', async () => {
      const { binding, steps } = slowBinding(makeBinding())
      const storage = memory(binding)
      const first = storage.committed()
      await vi.waitUntil(() => steps.length === 3)
      steps[0]!.finish()
      steps[1]!.fail(new Error('not now'))
      steps[2]!.finish()
      await expect(first).rejects.toThrow('not now')
      const second = storage.committed()
      await vi.waitUntil(() => steps.length === 4)
      steps[3]!.finish()
      await second
      expect(steps[3]!.offset).toBe(64 * MiB)
      expect(storage.describe().facts.committedBytes).toBe(150 * MiB)
      await storage.close()
    })

    test('that cannot be locked as asked leaves nothing behind when its allocation fails', async () => {
      const { binding, steps, closed } = slowBinding(makeBinding())
      await using runtime = createTransferRuntime({ binding, threads: 1 })
      const pinning = new PinnedAllocator({ runtime }).allocate({ sizeBytes: 4096 })
      await vi.waitUntil(() => steps.length === 1)
      steps[0]!.fail(new Error('broken'))
      await expect(pinning).rejects.toThrow('broken')
      expect(closed).toHaveLength(1)
    })
  })
})
