import { createHash } from 'node:crypto'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Binding, SlotRows } from '../lib/index.js'
import { onEachBinding } from './support/bindings.js'
import { useTemporaryDirectory } from './support/temporary-directory.js'

const REGION_BYTES = 200_000
const SLOTS = 40

/** One row: from and to are two of three memories and a file. */
const row = fc.record({
  from: fc.integer({ min: 0, max: 3 }),
  to: fc.integer({ min: 0, max: 3 }),
  source: fc.integer({ min: 0, max: REGION_BYTES - 1 }),
  target: fc.integer({ min: 0, max: REGION_BYTES - 1 }),
  length: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: REGION_BYTES })),
})
const slotChange = fc.record({
  act: fc.constantFrom('write', 'clear', 'damage'),
  slots: fc.uniqueArray(fc.integer({ min: 0, max: SLOTS - 1 }), { minLength: 1, maxLength: 10 }),
  bit: fc.integer({ min: 0, max: 511 }),
})

onEachBinding((make, name) => {
  const directory = useTemporaryDirectory()
  let files = 0

  test('any sequence of jobs leaves the bytes that plain arrays have after it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 12 }), async (rows) => {
        const binding = make()
        const model = [3, 5, 7, 11].map((factor) =>
          Uint8Array.from({ length: REGION_BYTES }, (_, at) => at * factor + (at >> 8)),
        )
        const regions = await equip(binding, model, join(directory, `${name}-${files++}`))
        const engine = binding.createEngine({ threads: 2 })
        for (const { from, to, source, target, length: wanted } of rows) {
          if (from === 3 && to === 3) continue
          const length = Math.min(wanted, REGION_BYTES - source, REGION_BYTES - target)
          model[to]!.set(model[from]!.slice(source, source + length), target)
          await binding.submit(engine, 1, {
            runs: Float64Array.of(regions[from]!, source, regions[to]!, target, length),
          })
        }
        for (const [index, region] of regions.entries()) {
          expect(Buffer.compare(await bytesOf(binding, engine, region), model[index]!)).toBe(0)
        }
        for (const region of regions) binding.closeRegion(region)
        await binding.closeEngine(engine)
      }),
      { numRuns: 60 },
    )
  })

  test('sums of any cut of any bytes are the bitwise CRC of each block', async () => {
    const binding = make()
    const engine = binding.createEngine({ threads: 2 })
    const cuts = fc.array(fc.nat({ max: 3000 }), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 0, maxLength: 3000 }),
        cuts,
        fc.boolean(),
        async (bytes, at, after) => {
          const region = binding.adoptMemory(bytes).id
          const edges = [0, ...at.filter((cut) => cut <= bytes.length), bytes.length].sort((a, b) => a - b)
          const pieces = edges.slice(1).flatMap((end, index) => [index % 2, region, edges[index]!, end - edges[index]!])
          const blocks = [0, 1].map((block) =>
            edges.slice(1).flatMap((end, i) => (i % 2 === block ? [...bytes.subarray(edges[i], end)] : [])),
          )
          const into = new Uint32Array(2)
          const sums = {
            pieces: Float64Array.from(pieces),
            into,
            when: after ? ('after' as const) : ('before' as const),
          }
          await binding.submit(engine, 1, { runs: new Float64Array(0), sums })
          expect([...into]).toEqual(blocks.map((block) => bitwiseCrc(Uint8Array.from(block))))
          binding.closeRegion(region)
        },
      ),
      { numRuns: 100 },
    )
    await binding.closeEngine(engine)
  })

  test('crc32c is the bitwise CRC, from any seed', () => {
    const binding = make()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.uint8Array({ maxLength: 500 }), (before, bytes) => {
        expect(binding.crc32c(bytes, bitwiseCrc(before))).toBe(bitwiseCrc(Uint8Array.from([...before, ...bytes])))
      }),
    )
  })

  test('hashes of any tokens are the chain of digests', () => {
    const binding = make()
    const tokens = fc.uint32Array({ maxLength: 300 })
    fc.assert(
      fc.property(
        tokens,
        fc.integer({ min: 1, max: 70 }),
        fc.uint32Array({ minLength: 4, maxLength: 4 }),
        (list, pageSize, parent) => {
          const backing = new Uint32Array(4 * (Math.floor(list.length / pageSize) + 1))
          backing.set(parent)
          binding.hashBlocks(list, pageSize, backing)
          for (let block = 0; block < backing.length / 4 - 1; block++) {
            const hash = createHash('sha256').update(backing.subarray(4 * block, 4 * block + 4))
            const digest = hash.update(list.subarray(block * pageSize, (block + 1) * pageSize)).digest()
            expect([...backing.subarray(4 * block + 4, 4 * block + 8)]).toEqual(
              [0, 4, 8, 12].map((at) => digest.readUInt32LE(at)),
            )
          }
        },
      ),
    )
  })

  test('a slot table holds what was written last and neither cleared nor damaged since', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(slotChange, { maxLength: 20 }), async (changes) => {
        const binding = make()
        const path = join(directory, `slots-${name}-${files++}`)
        const { id } = await binding.openFile({ path, write: true, create: true, direct: false })
        const model = new Map<number, number | 'damaged'>()
        let generation = 0
        for (const { act, slots, bit } of changes) {
          const numbered = slots.map((slot) => [slot, ++generation] as const)
          if (act === 'write') await binding.writeSlots(id, 512, rowsOf(numbered))
          if (act === 'clear') await binding.clearSlots(id, 512, Uint32Array.from(slots))
          if (act === 'damage' && typeof model.get(slots[0]!) === 'number')
            await flip(binding, id, 512 + 64 * slots[0]! + (bit >> 3), bit & 7)
          for (const [slot, number] of numbered) {
            if (act === 'write') model.set(slot, number)
            if (act === 'clear') model.delete(slot)
          }
          if (act === 'damage' && typeof model.get(slots[0]!) === 'number') model.set(slots[0]!, 'damaged')
        }
        const { count, damaged, ...rows } = await binding.readSlots(id, 512, SLOTS)
        const kept = [...model].filter((entry): entry is [number, number] => entry[1] !== 'damaged')
        expect(rows).toEqual(rowsOf(kept.sort((a, b) => a[1] - b[1])))
        expect([count, damaged]).toEqual([kept.length, model.size - kept.length])
        binding.closeRegion(id)
      }),
      { numRuns: 60 },
    )
  })
})

async function equip(binding: Binding, model: readonly Uint8Array[], path: string): Promise<number[]> {
  const memories = model.slice(0, 3).map((bytes) => {
    const { id } = binding.createMemory(REGION_BYTES)
    new Uint8Array(binding.windowOf(id, 0)).set(bytes)
    return id
  })
  const { id } = await binding.openFile({ path, write: true, create: true, direct: true })
  await binding.writeFile(id, 0, model[3]!)
  return [...memories, id]
}

async function bytesOf(binding: Binding, engine: number, region: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(REGION_BYTES)
  const { id } = binding.adoptMemory(bytes)
  await binding.submit(engine, 1, { runs: Float64Array.of(region, 0, id, 0, REGION_BYTES) })
  binding.closeRegion(id)
  return bytes
}

async function flip(binding: Binding, file: number, offset: number, bit: number): Promise<void> {
  const byte = await binding.readFile(file, offset, 1)
  await binding.writeFile(file, offset, Uint8Array.of(byte[0]! ^ (1 << bit)))
}

/** Columns that follow from slot and generation. */
function rowsOf(rows: ReadonlyArray<readonly [number, number]>): SlotRows {
  const column = (factor: number) => Uint32Array.from(rows, ([slot, generation]) => slot * factor + generation)
  const words = (factor: number) =>
    Uint32Array.from(rows.flatMap(([slot, generation]) => [slot, generation, factor, slot ^ factor]))
  return {
    slots: Uint32Array.from(rows, ([slot]) => slot),
    generations: Float64Array.from(rows, ([, generation]) => generation),
    hashes: words(3),
    parents: words(5),
    positions: column(7),
    lengths: column(11),
    checksums: column(13),
  }
}

/** The definition, bit by bit: nothing shared with either implementation. */
function bitwiseCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  }
  return ~crc >>> 0
}
