import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Binding, createPortableBinding } from '../lib/index.js'
import { bindingConformance, type FaultController, withFaults } from '../lib/testing/index.js'
import { useTemporaryDirectory } from './support/temporary-directory.js'

const directory = useTemporaryDirectory()
let files = 0

describe('without a fault', () => {
  const make = () => withFaults(createPortableBinding()).binding
  for (const { name, skip, run } of bindingConformance(make, { tempDirectory: directory })) {
    if (skip === undefined) test(name, run)
    else test.skip(`${name} (skipped: ${skip})`, run)
  }
})

describe('an error', () => {
  test('hits the region and the operation that it was meant for, once', async () => {
    const world = await setUp()
    world.faults.fail({ region: world.file, operation: 'write', code: 'EIO' })
    await world.load(world.file)
    await expect(world.save(1)).rejects.toMatchObject({ code: 'KVBM_STORAGE_IO', cause: { code: 'EIO' } })
    await world.save(1)
    expect(world.faults.injected).toBe(1)
  })

  test('of a full disk is KVBM_STORAGE_FULL, and nothing was written', async () => {
    const world = await setUp()
    world.faults.fail({ operation: 'write', code: 'ENOSPC' })
    await expect(world.save(9)).rejects.toMatchObject({ code: 'KVBM_STORAGE_FULL' })
    expect(await world.binding.readFile(world.file, 0, 100)).toEqual(new Uint8Array(100))
  })

  test('may come later and several times', async () => {
    const { binding, faults, file } = await setUp()
    faults.fail({ operation: 'sync', code: 'EIO', after: 1, times: 2 })
    const results = await Promise.allSettled([1, 2, 3, 4].map(() => binding.syncFile(file)))
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
  })

  test('reaches memory, opening, reserving and locking too', async () => {
    const { binding, faults, file } = await setUp()
    for (const operation of ['allocate', 'open', 'reserve', 'lock'] as const) faults.fail({ operation, code: 'EDQUOT' })
    const full = { code: 'KVBM_STORAGE_FULL' }
    expect(() => binding.createMemory(10)).toThrow('Simulated fault')
    await expect(binding.openFile({ path: path(), write: true, create: true, direct: false })).rejects.toMatchObject(
      full,
    )
    await expect(binding.reserveFile(file, 0, 10)).rejects.toMatchObject(full)
    await expect(binding.lockFile(path())).rejects.toMatchObject(full)
  })
})

describe('a short access', () => {
  test('of transposed runs moves whole tables, for a part of one cannot be transposed', async () => {
    const { binding, faults, engine } = await setUp()
    const into = new Uint8Array(12)
    const [source, target] = [binding.adoptMemory(Uint8Array.of(0, 1, 2, 3, 4, 5)).id, binding.adoptMemory(into).id]
    const runs = Float64Array.of(source, 0, target, 0, 6, source, 0, target, 6, 6)
    faults.cutShort({ region: target, operation: 'write', bytes: 11 })
    const job = { runs, transpose: { rows: 2, columns: 3, cellBytes: 1 } }
    await expect(binding.submit(engine, 1, job)).rejects.toMatchObject({ code: 'KVBM_STORAGE_IO' })
    expect([...into]).toEqual([0, 3, 1, 4, 2, 5, 0, 0, 0, 0, 0, 0])
  })

  test('of a job moves the first bytes, then fails', async () => {
    const world = await setUp()
    world.faults.cutShort({ region: world.file, operation: 'write', bytes: 33 })
    await expect(world.save(7)).rejects.toMatchObject({ code: 'KVBM_STORAGE_IO' })
    const written = await world.binding.readFile(world.file, 0, 100)
    expect([...written].filter((byte) => byte === 7)).toHaveLength(33)
  })

  test('of a small write leaves the first bytes, of a small read gives the first bytes', async () => {
    const { binding, faults, file } = await setUp()
    faults.cutShort({ operation: 'write', bytes: 3 })
    await expect(binding.writeFile(file, 0, new Uint8Array(10).fill(4))).rejects.toThrow('after 3 bytes')
    expect([...(await binding.readFile(file, 0, 5))]).toEqual([4, 4, 4, 0, 0])
    faults.cutShort({ operation: 'read', bytes: 2 })
    expect(await binding.readFile(file, 0, 5)).toHaveLength(2)
  })

  test('tears a record: those before are whole, those after untouched', async () => {
    const { binding, faults } = await setUp()
    const table = await openFile(binding)
    await binding.writeSlots(table, 0, rows([0, 1, 2], [1, 2, 3]))
    faults.cutShort({ region: table, operation: 'write', bytes: 64 + 20 })
    await expect(binding.writeSlots(table, 0, rows([0, 1, 2], [11, 12, 13]))).rejects.toMatchObject({
      code: 'KVBM_STORAGE_IO',
    })
    const { slots, generations, damaged } = await binding.readSlots(table, 0, 3)
    expect([[...slots], [...generations], damaged]).toEqual([[2, 0], [3, 11], 1])
  })
})

describe('a flipped bit', () => {
  test('arrives in memory while the file is well', async () => {
    const world = await setUp()
    await world.save(0)
    world.faults.flipBit({ region: world.file, operation: 'read', bit: 8 * 10 + 3 })
    expect((await world.load(world.file))[10]).toBe(8)
    expect((await world.load(world.file))[10]).toBe(0)
  })

  test('is in the sum of what arrived, and not in the sum of what was sent', async () => {
    const world = await setUp()
    const sent = world.binding.crc32c(new Uint8Array(100))
    for (const [when, region, same] of [
      ['before', 'source', true],
      ['after', 'target', false],
    ] as const) {
      world.faults.flipBit({ operation: 'write' })
      expect((await world.sum(when, world[region])) === sent).toBe(same)
    }
  })

  test('stays in a file that was written wrongly, and damages a record', async () => {
    const { binding, faults, file } = await setUp()
    faults.flipBit({ region: file, operation: 'write', bit: 9 })
    await binding.writeFile(file, 0, new Uint8Array(4))
    expect([...(await binding.readFile(file, 0, 4))]).toEqual([0, 2, 0, 0])
    const table = await openFile(binding)
    faults.flipBit({ region: table, operation: 'write', bit: 512 + 100 })
    await binding.writeSlots(table, 0, rows([3, 8], [1, 2]))
    expect(await binding.readSlots(table, 0, 10)).toMatchObject({ count: 1, damaged: 1, slots: Uint32Array.of(3) })
  })

  test('on reading a table damages a record for this once', async () => {
    const { binding, faults } = await setUp()
    const table = await openFile(binding)
    await binding.writeSlots(table, 0, rows([1], [1]))
    faults.flipBit({ operation: 'read', bit: 512 })
    expect((await binding.readSlots(table, 0, 2)).damaged).toBe(1)
    expect((await binding.readSlots(table, 0, 2)).count).toBe(1)
  })
})

describe('a hold', () => {
  test('stops what it is meant for until it is released', async () => {
    const world = await setUp()
    const hold = world.faults.hold({ region: world.file, operation: 'write' })
    const done = [world.save(1), world.save(1)]
    await hold.reached(2)
    expect(hold.waiting).toBe(2)
    expect(await world.binding.readFile(world.file, 0, 1)).toEqual(Uint8Array.of(0))
    hold.release()
    await Promise.all(done)
    await world.save(2)
    expect(await world.binding.readFile(world.file, 0, 1)).toEqual(Uint8Array.of(2))
  })

  test('lets a job be cancelled', async () => {
    const { binding, engine, faults, source, target } = await setUp()
    const hold = faults.hold()
    const job = binding.submit(engine, 77, { runs: Float64Array.of(source, 0, target, 0, 100) })
    await hold.reached()
    expect(binding.cancel(engine, 77)).toBe(true)
    expect(binding.cancel(engine, 77)).toBe(false)
    await expect(job).rejects.toMatchObject({ code: 'KVBM_CANCELLED' })
    hold.release()
  })

  test('keeps regions and the engine alive that were closed meanwhile', async () => {
    const world = await setUp()
    const hold = world.faults.hold()
    const job = world.save(6)
    await hold.reached()
    for (const region of [world.source, world.file]) world.binding.closeRegion(region)
    const closing = world.binding.closeEngine(world.engine)
    await expect(world.binding.syncFile(world.file)).rejects.toThrow(RangeError)
    expect(() => world.binding.windowOf(world.source, 0)).toThrow(RangeError)
    await expect(world.save(1)).rejects.toThrow(RangeError)
    hold.release()
    await Promise.all([job, closing])
    expect(() => world.binding.windowOf(world.source, 0)).toThrow(RangeError)
  })
})

describe('a lost device', () => {
  test('fails every access to its region and no other, also those that wait', async () => {
    const world = await setUp()
    const hold = world.faults.hold({ region: world.target })
    const waiting = world.load(world.file)
    await hold.reached()
    world.faults.lose(world.target)
    hold.release()
    await expect(waiting).rejects.toThrow('is lost')
    await expect(world.load(world.file)).rejects.toMatchObject({ code: 'KVBM_STORAGE_IO' })
    await world.save(3)
    world.faults.clear()
    await world.load(world.file)
  })
})

interface World {
  readonly binding: Binding
  readonly faults: FaultController
  readonly engine: number
  /** Memories of 100 bytes. */
  readonly source: number
  readonly target: number
  /** 100 zeros. */
  readonly file: number
  /** Fills the source with `byte` and writes it to the file. */
  save(byte: number): Promise<void>
  /** Reads the region to the target. */
  load(region: number): Promise<Uint8Array>
  /** Copies source to target; the sum of the given region. */
  sum(when: 'before' | 'after', region: number): Promise<number>
}

async function setUp(): Promise<World> {
  const { binding, faults } = withFaults(createPortableBinding())
  const engine = binding.createEngine({ threads: 1 })
  const [source, target] = [binding.createMemory(100).id, binding.createMemory(100).id]
  const [from, into] = [source, target].map((region) => new Uint8Array(binding.windowOf(region, 0))) as [
    Uint8Array,
    Uint8Array,
  ]
  const file = await openFile(binding)
  await binding.writeFile(file, 0, new Uint8Array(100))
  onTestFinished(() => {
    faults.clear()
    for (const region of [source, target, file]) binding.closeRegion(region)
  })
  const copy = (a: number, b: number) => ({ runs: Float64Array.of(a, 0, b, 0, 100) })
  return {
    binding,
    faults,
    engine,
    source,
    target,
    file,
    save: async (byte) => {
      if (from.length > 0) from.fill(byte)
      await binding.submit(engine, 1, copy(source, file))
    },
    load: async (region) => {
      await binding.submit(engine, 2, copy(region, target))
      return into
    },
    sum: async (when, region) => {
      const into = new Uint32Array(1)
      const sums = { pieces: Float64Array.of(0, region, 0, 100), into, when }
      await binding.submit(engine, 3, { ...copy(source, target), sums })
      return into[0]!
    },
  }
}

async function openFile(binding: Binding): Promise<number> {
  const { id } = await binding.openFile({ path: path(), write: true, create: true, direct: false })
  onTestFinished(() => binding.closeRegion(id))
  return id
}

function path(): string {
  return join(directory, `fault-${files++}`)
}

function rows(slots: readonly number[], generations: readonly number[]) {
  const zeros = () => new Uint32Array(slots.length)
  const words = () => Uint32Array.from(generations.flatMap((generation) => [generation, 1, 2, 3]))
  return {
    slots: Uint32Array.from(slots),
    generations: Float64Array.from(generations),
    hashes: words(),
    parents: words(),
    positions: zeros(),
    lengths: zeros(),
    checksums: zeros(),
  }
}
