import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { KvbmError } from '@kvbm/core'
import { expect, test } from 'vitest'
import {
  DiskAllocator,
  eraseSlots,
  readSlotTable,
  type SlotTable,
  slotDirectoryName,
  verifySlots,
} from '../src/index.js'
import { onEachBinding, useRuntime } from './support/bindings.js'
import { blockOf, readSlot, recoveredNames, storeBlocks } from './support/blocks.js'
import { posixTest } from './support/posix.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

const SLOT_BYTES = 4096

onEachBinding((makeBinding) => {
  test('a table is read beside its writer, and nothing is touched', async () => {
    await using world = await openWorld(makeBinding)
    const before = filesOf(world)
    const table = await readTable(world)
    expect(table).toMatchObject({ fingerprint: world.slots.fingerprint, numSlots: 16, slotBytes: SLOT_BYTES })
    expect([...table.records.slots]).toEqual([1, 3, 2])
    expect(table.records.damaged).toBe(0)
    expect(await verifySlots(world.root, world.name, table, world.options)).toEqual({
      sound: 3,
      damaged: 0,
      changed: 0,
    })
    expect(filesOf(world)).toEqual(before)
  })

  test('flipped bytes, lost bytes and damaged records are counted', async () => {
    await using world = await openWorld(makeBinding)
    await world.file.close()
    patch(join(world.folder, 'blocks.kvbm'), (data) => data.with(1 * SLOT_BYTES + 9, data[SLOT_BYTES + 9]! ^ 1))
    patch(join(world.folder, 'slots.kvbm'), (data) => data.with(2 ** 20 + 2 * 64 + 9, 0xee))
    patch(join(world.folder, 'blocks.kvbm'), (data) => data.subarray(0, 3 * SLOT_BYTES + 5))
    const table = await readTable(world)
    expect(table.records).toMatchObject({ count: 2, damaged: 1 })
    const found = await verifySlots(world.root, world.name, table, world.options)
    expect(found).toEqual({ sound: 0, damaged: 2, changed: 0 })
  })

  test('a block that its writer replaced meanwhile is no damage', async () => {
    await using world = await openWorld(makeBinding)
    const table = await readTable(world)
    await storeBlocks(world.file, world.runtime, [1], [777])
    const found = await verifySlots(world.root, world.name, table, world.options)
    expect(found).toEqual({ sound: 2, damaged: 0, changed: 1 })
  })

  test('verifying ends with the reason of its signal', async () => {
    await using world = await openWorld(makeBinding)
    const signal = AbortSignal.abort(new Error('enough'))
    const verifying = verifySlots(world.root, world.name, await readTable(world), { ...world.options, signal })
    await expect(verifying).rejects.toThrow('enough')
  })

  test('what cannot be read says why', async () => {
    await using world = await openWorld(makeBinding)
    await world.file.close()
    const { root, name, folder, options } = world
    const table = join(folder, 'slots.kvbm')
    const whole = readFileSync(table)
    const read = () => readSlotTable(root, name, options)
    writeFileSync(table, Uint8Array.from(whole).fill(0xab, 0, 32_768))
    expect(await read()).toBe('foreign')
    writeFileSync(table, Uint8Array.from(whole).fill(1, 30, 60).fill(1, 16_400, 16_440))
    expect(await read()).toBe('torn')
    writeFileSync(table, new Uint8Array(0))
    expect(await read()).toBe('empty')
    rmSync(table)
    expect(await read()).toBe('missing')
    writeFileSync(join(root, 'elsewhere'), whole)
    symlinkSync(join(root, 'elsewhere'), table)
    expect(await read()).toBe('unreadable')
  })

  test('a table under the name of another fingerprint is foreign', async () => {
    await using world = await openWorld(makeBinding)
    await world.file.close()
    renameSync(world.folder, join(world.root, '0123456789abcdef'))
    expect(await readSlotTable(world.root, '0123456789abcdef', world.options)).toBe('foreign')
  })

  test('erased blocks leave neither record nor bytes, nor do blocks that were given up; the others stay', async () => {
    await using world = await openWorld(makeBinding)
    const { root, name, folder, options, runtime } = world
    await world.file.invalidate(Uint32Array.of(3))
    await world.file.close()
    expect(holds(folder, 103)).toBe(true)
    const erased = await eraseSlots(root, name, ({ records }) => [records.slots.indexOf(1)], options)
    expect(erased).toEqual({ blocks: 1, wipedBytes: 2 * SLOT_BYTES })
    expect([holds(folder, 101), holds(folder, 103), holds(folder, 102)]).toEqual([false, false, true])
    const again = await new DiskAllocator(root, options).openSlots(world.slots)
    expect(recoveredNames(again)).toEqual(new Map([[102, 2]]))
    expect(await readSlot(again, runtime, 2)).toEqual(blockOf(102, SLOT_BYTES))
    await again.close()
  })

  test('a data file that is lost is damage of all its blocks, and nothing to wipe', async () => {
    await using world = await openWorld(makeBinding)
    const { root, name, folder, options } = world
    await world.file.close()
    rmSync(join(folder, 'blocks.kvbm'))
    const found = await verifySlots(root, name, await readTable(world), options)
    expect(found).toEqual({ sound: 0, damaged: 3, changed: 0 })
    expect(await eraseSlots(root, name, () => [0, 1, 2], options)).toEqual({ blocks: 3, wipedBytes: 0 })
    expect((await readTable(world)).records.count).toBe(0)
  })

  posixTest('nothing is erased where others may write, or through a link', async () => {
    await using world = await openWorld(makeBinding)
    const { root, name, folder, options } = world
    await world.file.close()
    const isRefused = () =>
      expect(eraseSlots(root, name, () => [0], options)).rejects.toSatisfy((error) =>
        KvbmError.is(error, 'KVBM_DIRECTORY_FOREIGN'),
      )
    chmodSync(folder, 0o777)
    await isRefused()
    chmodSync(folder, 0o700)
    renameSync(join(folder, 'blocks.kvbm'), join(root, 'elsewhere'))
    symlinkSync(join(root, 'elsewhere'), join(folder, 'blocks.kvbm'))
    await isRefused()
    expect((await readTable(world)).records.count).toBe(3)
  })

  test('nothing is erased of a directory that somebody has open, or whose table is not ours', async () => {
    await using world = await openWorld(makeBinding)
    const { root, name, folder, options } = world
    expect(await eraseSlots(root, name, ({ records }) => [...records.slots.keys()], options)).toBeUndefined()
    expect((await readTable(world)).records.count).toBe(3)
    await world.file.close()
    patch(join(folder, 'slots.kvbm'), (data) => data.fill(0xab, 0, 32_768))
    await expect(eraseSlots(root, name, () => [], options)).rejects.toSatisfy((error) =>
      KvbmError.is(error, 'KVBM_DIRECTORY_FOREIGN'),
    )
  })
})

type World = Awaited<ReturnType<typeof openWorld>>

async function readTable({ root, name, options }: World): Promise<SlotTable> {
  const table = await readSlotTable(root, name, options)
  if (typeof table === 'string') throw new Error(`the table is ${table}`)
  return table
}

function filesOf({ folder }: World): object[] {
  return readdirSync(folder).map((name) => {
    const { size, mtimeMs } = statSync(join(folder, name))
    return { name, size, mtimeMs }
  })
}

function patch(path: string, change: (data: Uint8Array) => Uint8Array): void {
  writeFileSync(path, change(new Uint8Array(readFileSync(path))))
}

function holds(folder: string, name: number): boolean {
  return readFileSync(join(folder, 'blocks.kvbm')).includes(Buffer.from(blockOf(name, SLOT_BYTES)))
}

async function openWorld(makeBinding: Parameters<Parameters<typeof onEachBinding>[0]>[0]) {
  const runtime = useRuntime(makeBinding())
  const directory = new TemporaryDirectory()
  const root = directory.at('cache')
  mkdirSync(root, { mode: 0o700 })
  const slots = { fingerprint: '{"model":"read"}', numSlots: 16, slotBytes: SLOT_BYTES }
  const file = await new DiskAllocator(root, { runtime }).openSlots(slots)
  await storeBlocks(file, runtime, [1, 3, 2], [101, 103, 102])
  const name = slotDirectoryName(slots.fingerprint)
  return {
    root,
    name,
    folder: join(root, name),
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
