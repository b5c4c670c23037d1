import type { Binding } from '@kvbm/native'
import { expect, test } from 'vitest'
import { DiskAllocator, type NativeTransferRuntime, type SlotFile } from '../src/index.js'
import { onEachBinding, useRuntime } from './support/bindings.js'
import { blockOf, FINGERPRINT, readSlot, recoveredNames, storeBlocks } from './support/blocks.js'
import { DyingBinding } from './support/dying-binding.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

const SLOT_BYTES = 4096
/** Far more than the history makes; the test says when it has seen them all. */
const WRITES_MAX = 200

/** What must be true of the blocks, kept by the history as it goes. */
interface Ledger {
  /** Commit resolved and not touched since: must be found. */
  readonly kept: Set<number>
  /** The highest generation seen so far. */
  generation: number
}

onEachBinding((makeBinding) => {
  test('whichever change of a file is the last one, and torn, reopening gives whole blocks and all that were kept', async () => {
    let lastWrite = 1
    for (; lastWrite < WRITES_MAX; lastWrite++) {
      using world = new TemporaryDirectory()
      const ledger: Ledger = { kept: new Set(), generation: 0 }
      const dying = new DyingBinding(makeBinding(), lastWrite)
      await live(world, dying.binding, ledger)
      await verify(world, makeBinding(), ledger, lastWrite)
      await verify(world, makeBinding(), ledger, lastWrite)
      if (!dying.dead) break
    }
    expect(lastWrite).toBeGreaterThan(20)
    expect(lastWrite).toBeLessThan(WRITES_MAX)
  })

  test('dying twice in a row while opening, at any two changes, loses nothing', async () => {
    using world = new TemporaryDirectory()
    const ledger: Ledger = { kept: new Set(), generation: 0 }
    await verify(world, makeBinding(), ledger, 0)
    for (const first of OPENING_WRITES) {
      for (const second of OPENING_WRITES) {
        for (const lastWrite of [first, second])
          await live(world, new DyingBinding(makeBinding(), lastWrite).binding, ledger)
        ledger.kept.clear()
        await verify(world, makeBinding(), ledger, second)
      }
    }
  })
})

/** Both copies of the superblock, and what follows them. */
const OPENING_WRITES = [1, 2, 3]

/** Two lives of a cache: storing, overwriting, giving up, then reopening smaller and storing again. */
async function live(world: TemporaryDirectory, binding: Binding, ledger: Ledger): Promise<void> {
  await using runtime = useRuntime(binding)
  await withSlots(world, runtime, 6, async (file) => {
    await store(file, runtime, ledger, [0, 1, 2, 3], [10, 11, 12, 13])
    await store(file, runtime, ledger, [1, 4], [21, 24], [11])
    ledger.kept.delete(12)
    await file.invalidate(Uint32Array.of(2))
  })
  for (const name of [13, 24]) ledger.kept.delete(name)
  await withSlots(world, runtime, 3, (file) => store(file, runtime, ledger, [2, 0], [32, 30], [10]))
}

async function withSlots(
  world: TemporaryDirectory,
  runtime: NativeTransferRuntime,
  numSlots: number,
  act: (file: SlotFile) => Promise<void>,
): Promise<void> {
  try {
    await using file = await open(world, runtime, numSlots)
    await act(file)
  } catch (error) {
    if (!String(error).includes('the process is dead')) throw error
  }
}

async function store(
  file: SlotFile,
  runtime: NativeTransferRuntime,
  ledger: Ledger,
  slots: number[],
  names: number[],
  overwritten: number[] = [],
): Promise<void> {
  for (const name of overwritten) ledger.kept.delete(name)
  await storeBlocks(file, runtime, slots, names)
  for (const name of names) ledger.kept.add(name)
}

async function verify(world: TemporaryDirectory, binding: Binding, ledger: Ledger, lastWrite: number): Promise<void> {
  await using runtime = useRuntime(binding)
  await using file = await open(world, runtime, 6)
  const found = recoveredNames(file)
  const why = `last write ${lastWrite}`
  expect(
    [...ledger.kept].filter((name) => !found.has(name)),
    why,
  ).toEqual([])
  for (const [name, slot] of found) expect(await readSlot(file, runtime, slot), why).toEqual(blockOf(name, SLOT_BYTES))
  await storeBlocks(file, runtime, [5], [55])
  ledger.kept.add(55)
  const { lastGeneration } = file.recovered
  expect(lastGeneration, why).toBeGreaterThanOrEqual(ledger.generation)
  ledger.generation = lastGeneration + 1
}

function open(world: TemporaryDirectory, runtime: NativeTransferRuntime, numSlots: number): Promise<SlotFile> {
  const allocator = new DiskAllocator(world.at('cache'), { runtime })
  return allocator.openSlots({ fingerprint: FINGERPRINT, numSlots, slotBytes: SLOT_BYTES })
}
