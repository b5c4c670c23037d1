import { EventEmitter, once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import type { Binding } from '@kvbm/native'
import { expect, test } from 'vitest'
import { DiskAllocator, type NativeTransferRuntime, type SlotFile } from '../src/index.js'
import { GENERATIONS_AHEAD } from '../src/slot-file.js'
import { readSuperblock } from '../src/superblock-file.js'
import { onEachBinding, useRuntime } from './support/bindings.js'
import { FINGERPRINT, rowsOf, storeBlocks } from './support/blocks.js'
import { boundMethods } from './support/bound-methods.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

onEachBinding((makeBinding) => {
  test('an invalidation resolves only after the earlier ones, which could take away what is committed next', async () => {
    using directory = new TemporaryDirectory()
    const clearing = slowFirstClear(makeBinding())
    await using runtime = useRuntime(clearing.binding)
    await using file = await open(directory, runtime)
    await file.commit(rowsOf([0], [1], [0]))
    const ended: string[] = []
    const first = file.invalidate(Uint32Array.of(0)).then(() => ended.push('first'))
    const second = file.invalidate(Uint32Array.of(0)).then(() => ended.push('second'))
    await clearing.secondEnded
    await turn()
    const endedEarly = [...ended]
    clearing.letFirstEnd()
    await Promise.all([first, second])
    expect(endedEarly).toEqual([])
  })

  test('no record has a generation that the superblock does not cover, however many are written in one run', async () => {
    using directory = new TemporaryDirectory()
    const { binding, written } = witnessed(makeBinding())
    await using runtime = useRuntime(binding)
    const file = await open(directory, runtime)
    // More than were reserved at opening, and more again than are reserved at once while the first commit waits.
    const many = rowsOf(new Array(GENERATIONS_AHEAD + 10).fill(0), [], [])
    const rows = { ...many, positions: many.slots, checksums: many.slots }
    await Promise.all([file.commit(rows), file.commit(rows)])
    expect(written).toHaveLength(2)
    for (const { highest, floor } of written) expect(highest).toBeLessThan(floor)
    await file.invalidate(Uint32Array.of(0))
    await file.close()
    const reached = Math.max(...written.map(({ highest }) => highest))
    expect(await nextGeneration(directory, makeBinding())).toBeGreaterThan(reached)
  })
})

function open(directory: TemporaryDirectory, runtime: NativeTransferRuntime): Promise<SlotFile> {
  const options = { fingerprint: FINGERPRINT, numSlots: 2, slotBytes: 4096 }
  return new DiskAllocator(directory.path, { runtime }).openSlots(options)
}

/** The generation of the first block that the next run writes. */
async function nextGeneration(directory: TemporaryDirectory, binding: Binding): Promise<number> {
  await using runtime = useRuntime(binding)
  const file = await open(directory, runtime)
  await storeBlocks(file, runtime, [1])
  await file.close()
  await using again = await open(directory, runtime)
  return again.recovered.lastGeneration
}

/** The first clearing of records ends when it is let; `secondEnded` resolves once the second one did. */
function slowFirstClear(inner: Binding) {
  const signals = new EventEmitter()
  const allowed = once(signals, 'allowed')
  const secondEnded = once(signals, 'second ended')
  let calls = 0
  const clearSlots: Binding['clearSlots'] = async (file, table, slots) => {
    const isFirst = calls++ === 0
    if (isFirst) await allowed
    await inner.clearSlots(file, table, slots)
    if (!isFirst) signals.emit('second ended')
  }
  const binding: Binding = { ...boundMethods(inner), clearSlots }
  return { binding, secondEnded, letFirstEnd: () => signals.emit('allowed') }
}

/** Notes for each write of records the highest generation in it, and the floor in the file at that moment; writes the last row only. */
function witnessed(inner: Binding) {
  const written: { readonly highest: number; readonly floor: number }[] = []
  const writeSlots: Binding['writeSlots'] = async (file, table, rows) => {
    const superblock = await readSuperblock(inner, file)
    if (typeof superblock === 'string') throw new Error(`the superblock is ${superblock}`)
    const last = rows.slots.length - 1
    written.push({ highest: rows.generations[last]!, floor: superblock.generationFloor })
    await inner.writeSlots(file, table, {
      slots: rows.slots.subarray(last),
      generations: rows.generations.subarray(last),
      hashes: rows.hashes.subarray(last * 4),
      parents: rows.parents.subarray(last * 4),
      positions: rows.positions.subarray(last),
      lengths: rows.lengths.subarray(last),
      checksums: rows.checksums.subarray(last),
    })
  }
  return { binding: { ...boundMethods(inner), writeSlots } satisfies Binding, written }
}
