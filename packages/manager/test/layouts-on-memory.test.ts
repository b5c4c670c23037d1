import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type BlockShape,
  blockBytes,
  type DType,
  type InnerOrder,
  type LayoutStrategy,
  LayoutType,
  regionBytes,
  rowBytes,
  type Storage,
} from '@kvbm/core'
import {
  createLayout,
  type LayerRange,
  type Layout,
  type LayoutGeometry,
  layoutStorageBytes,
  planBytes,
  planCopy,
  type Reorder,
} from '@kvbm/layout'
import { type Binding, createPortableBinding, loadBinding } from '@kvbm/native'
import {
  createAllocator,
  createTransferRuntime,
  type NativeTransferRuntime,
  SystemAllocator,
  wrapMemory,
} from '@kvbm/storage'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'

// Cases 125 and 126 on real memory and files, with both bindings: every layout × every layout × every allocator × every
// allocator and memory that an engine owns; layer ranges; both inner orders; neighbours of what is written stay as they are.

const SHAPE: BlockShape = { numLayers: 3, outerDim: 2, pageSize: 4, innerDim: 15, dtype: 'fp16' }
const KV_HEADS = 5
const BLOCK = blockBytes(SHAPE)
const NUM_BLOCKS = 8
const SOURCES = Uint32Array.of(6, 1, 2, 3)
const TARGETS = Uint32Array.of(5, 2, 3, 7)
const LAYERS: readonly LayerRange[] = [
  { from: 0, to: 3 },
  { from: 1, to: 2 },
]

const keysAndValuesApart: LayoutStrategy = {
  name: 'keys-and-values-apart',
  bind: ({ numBlocks, shape }) => ({
    storageBytes: new Array<number>(shape.outerDim).fill((numBlocks * blockBytes(shape)) / shape.outerDim),
    locate: (block, layer, outer) => ({
      storage: outer,
      offset: (block * shape.numLayers + layer) * regionBytes(shape),
    }),
  }),
}

const TYPES: readonly LayoutType[] = [
  LayoutType.FullyContiguous,
  LayoutType.LayerSeparate,
  LayoutType.LayerSeparateBlockContiguous,
  LayoutType.Paged,
  LayoutType.Custom(keysAndValuesApart),
]

const KINDS = ['system', 'pinned', 'device', 'disk', 'engine'] as const
type Kind = (typeof KINDS)[number]
/** Orders of a copy that leaves bytes in theirs. */
const SAME = { from: 'nhd', to: 'nhd' } as const
const IN_MEMORY = KINDS.filter((kind) => kind !== 'disk')

/** A layout over storages of one kind. */
interface Place {
  readonly kind: Kind
  readonly layout: Layout
  readonly storages: readonly Storage[]
}

for (const [name, binding] of bindings()) {
  describe.skipIf(binding === undefined)(name, () => {
    const directory = mkdtempSync(join(tmpdir(), 'kvbm-layouts-'))
    let runtime: NativeTransferRuntime
    let sources: Place[]
    let targets: Place[]
    beforeAll(async () => {
      runtime = createTransferRuntime({ binding: binding!, threads: 2 })
      sources = await makePlaces('from')
      targets = await makePlaces('to')
      for (const place of sources) await move(place, allIds(), contentOf('source'), 'write')
    })
    afterAll(async () => {
      for (const { storages } of [...sources, ...targets]) for (const storage of storages) await storage.close()
      await runtime.close()
      rmSync(directory, { recursive: true, force: true })
    })

    for (const from of KINDS)
      for (const to of KINDS) {
        if (from === 'disk' && to === 'disk') continue
        test(`${from} → ${to}, all layouts, all and some layers`, async () => {
          for (const source of sources.filter(({ kind }) => kind === from))
            for (const target of targets.filter(({ kind }) => kind === to))
              for (const layers of LAYERS) await checkCopy(source, target, layers)
        })
      }

    test('disk → disk through memory in between (case 125, bounce buffer)', async () => {
      const [from, to] = [sources, targets].map((places) => places.filter(({ kind }) => kind === 'disk'))
      const between = targets.find(({ kind }) => kind === 'system')!
      for (const source of from!)
        for (const target of to!) {
          await copy(source, SOURCES, between, SOURCES, LAYERS[0]!)
          await checkCopy(between, target, LAYERS[0]!)
        }
    })

    for (const from of IN_MEMORY)
      test(`${from} → memory of any kind, all layouts, in another inner order`, async () => {
        for (const source of sources.filter(({ kind }) => kind === from))
          for (const target of targets.filter(({ kind }) => kind !== 'disk')) {
            await checkCopy(source, target, LAYERS[0]!, { from: 'nhd', to: 'hnd', kvHeads: KV_HEADS })
            await checkCopy(source, target, LAYERS[1]!, { from: 'hnd', to: 'nhd', kvHeads: KV_HEADS })
          }
      })

    test('files take no other inner order on the way, and the error says so', async () => {
      const [file, memory] = ['disk', 'system'].map((kind) => sources.find((place) => place.kind === kind)!)
      const reorder = { from: 'nhd', to: 'hnd', kvHeads: KV_HEADS } as const
      for (const [from, to] of [
        [file!, memory!],
        [memory!, file!],
      ] as const)
        await expect(copy(from, SOURCES, to, TARGETS, LAYERS[0]!, reorder)).rejects.toThrow(
          /is a file\. Transpose from memory to memory/,
        )
    })

    test('a block takes no other inner order where it lies, and stays as it was', async () => {
      const place = targets.find(({ kind }) => kind === 'system')!
      await move(place, allIds(), contentOf('target'), 'write')
      const reorder = { from: 'nhd', to: 'hnd', kvHeads: KV_HEADS } as const
      await expect(copy(place, SOURCES, place, SOURCES, LAYERS[0]!, reorder)).rejects.toThrow(/overlap/)
      const after = new Uint8Array(NUM_BLOCKS * BLOCK)
      await move(place, allIds(), after, 'read')
      expect(Buffer.compare(after, contentOf('target'))).toBe(0)
    })

    async function checkCopy(source: Place, target: Place, layers: LayerRange, reorder?: Reorder): Promise<void> {
      await move(target, allIds(), contentOf('target'), 'write')
      await copy(source, SOURCES, target, TARGETS, layers, reorder)
      const after = new Uint8Array(NUM_BLOCKS * BLOCK)
      await move(target, allIds(), after, 'read')
      const expected = expectedAfter(layers, reorder)
      const what = `${describeType(source.layout.type)} → ${describeType(target.layout.type)}, layers ${layers.from} to ${layers.to}`
      expect(Buffer.compare(after, expected), what).toBe(0)
    }

    async function copy(
      from: Place,
      fromIds: Uint32Array,
      to: Place,
      toIds: Uint32Array,
      layers: LayerRange,
      reorder?: Reorder,
    ) {
      const request = { from: from.layout, fromIds, to: to.layout, toIds, layers }
      await runtime.submit(planCopy(reorder === undefined ? request : { ...request, reorder }))
    }

    async function move(place: Place, ids: Uint32Array, bytes: Uint8Array, direction: 'write' | 'read'): Promise<void> {
      const flat = wrapMemory(bytes, { runtime })
      try {
        const { runs } = planBytes({ layout: place.layout, ids, region: flat.regionId, direction })
        await runtime.submit({ runs })
      } finally {
        await flat.close()
      }
    }

    async function makePlaces(label: string): Promise<Place[]> {
      const places: Place[] = []
      for (const kind of KINDS)
        for (const [index, type] of TYPES.entries()) {
          const geometry = { type, shape: SHAPE, numBlocks: NUM_BLOCKS, alignment: 64, segmentBytes: 3000 }
          const storages: Storage[] = []
          for (const sizeBytes of layoutStorageBytes(geometry))
            storages.push(await makeStorage(kind, sizeBytes, `${label}-${index}-${storages.length}`))
          places.push({ kind, storages, layout: createLayout({ ...geometry, storages }) })
        }
      return places
    }

    async function makeStorage(kind: Kind, sizeBytes: number, label: string): Promise<Storage> {
      if (kind === 'engine') return wrapMemory(new Uint8Array(sizeBytes), { runtime, kind: 'device' })
      const spec = kind === 'disk' ? { kind, path: directory } : { kind }
      return createAllocator(spec, runtime).allocate({ sizeBytes, lazy: true, label })
    }
  })

  test.skipIf(binding === undefined)(
    `${name}: random shapes, layouts and changes of inner order, byte by byte`,
    async () => {
      await using runtime = createTransferRuntime({ binding: binding!, threads: 2 })
      const copies = fc.record({
        shape: headedShapes,
        from: plots,
        to: plots,
        orders: fc.option(orders),
        layers,
        pairs,
      })
      const property = fc.asyncProperty(copies, async ({ shape: { kvHeads, ...shape }, orders, ...copy }) => {
        const [from, to] = [makeEnd(shape, copy.from, runtime, 1), makeEnd(shape, copy.to, runtime, 128)]
        const reorder = orders === null ? undefined : { ...orders, kvHeads }
        const layers = {
          from: Math.min(...copy.layers, shape.numLayers),
          to: Math.min(Math.max(...copy.layers), shape.numLayers),
        }
        const expected = copyByteByByte(from, to, {
          pairs: copy.pairs,
          layers,
          reorder: reorder ?? { ...SAME, kvHeads },
        })
        const [fromIds, toIds] = [0, 1].map((end) => Uint32Array.from(copy.pairs, (pair) => pair[end]!))
        const request = { from: from.layout, fromIds: fromIds!, to: to.layout, toIds: toIds!, layers }
        await runtime.submit(planCopy(reorder === undefined ? request : { ...request, reorder }))
        expect(Buffer.compare(Buffer.concat(to.arrays), Buffer.concat(expected))).toBe(0)
        for (const storage of [...from.storages, ...to.storages]) await storage.close()
      })
      await fc.assert(property, { numRuns: 150 })
    },
  )

  test.skipIf(binding === undefined)(`${name}: a paged tier takes memory segment by segment`, async () => {
    await using runtime = createTransferRuntime({ binding: binding!, threads: 1 })
    const geometry = { type: LayoutType.Paged, shape: SHAPE, numBlocks: 6, segmentBytes: 2 * BLOCK } as const
    const storages: Storage[] = []
    for (const sizeBytes of layoutStorageBytes(geometry))
      storages.push(await new SystemAllocator({ runtime }).allocate({ sizeBytes, lazy: true }))
    const real = () => storages.map((storage) => storage.describe().facts.committedBytes)
    const layout = createLayout({ ...geometry, storages })
    expect(real()).toEqual([0, 0, 0])
    layout.commit(Uint32Array.of(5))
    await vi.waitFor(() => expect(real()).toEqual([2 * BLOCK, 0, 0]))
    layout.commit(Uint32Array.of(0, 3))
    await vi.waitFor(() => expect(real()).toEqual([2 * BLOCK, 2 * BLOCK, 0]))
    for (const storage of storages) await storage.close()
  })

  test.skipIf(binding === undefined)(`${name}: blocks beyond 4 GiB of one region`, async () => {
    const GIB = 2 ** 30
    await using runtime = createTransferRuntime({ binding: binding!, threads: 2 })
    const shape: BlockShape = { ...SHAPE, innerDim: 2 ** 20, pageSize: 1 }
    const geometry = { type: LayoutType.FullyContiguous, shape, numBlocks: 500 } as const
    const memory = await new SystemAllocator({ runtime }).allocate({
      sizeBytes: layoutStorageBytes(geometry)[0]!,
      lazy: true,
    })
    expect(memory.sizeBytes).toBeGreaterThan(5 * GIB)
    try {
      const layout = createLayout({ ...geometry, storages: [neverCommitted(memory)] })
      const last = layout.locate(499, 2, 1).offset
      expect(last).toBe(499 * blockBytes(shape) + 5 * regionBytes(shape))
      const [low, high] = [0, 499].map((block) => [layout.view(block)].flat() as Uint8Array[])
      high![0]!.set([1, 2, 3, 4])
      await runtime.submit({
        runs: planCopy({ from: layout, fromIds: Uint32Array.of(499), to: layout, toIds: Uint32Array.of(0) }).runs,
      })
      expect([...low![0]!.subarray(0, 4)]).toEqual([1, 2, 3, 4])
    } finally {
      await memory.close()
    }
  })
}

function* bindings(): Generator<[string, Binding | undefined]> {
  yield ['portable twin', createPortableBinding()]
  if (process.env.KVBM_NATIVE === 'portable')
    return yield ['addon (skipped: KVBM_NATIVE=portable forbids it)', undefined]
  try {
    yield ['addon', loadBinding({ native: 'required' })]
  } catch (error) {
    yield [`addon (skipped: ${(error as Error).message.split('\n')[0]})`, undefined]
  }
}

/** Memory that becomes real where it is touched, so that gigabytes of it cost nothing. */
function neverCommitted(memory: Storage): Storage {
  return {
    kind: memory.kind,
    sizeBytes: memory.sizeBytes,
    regionId: memory.regionId,
    alignmentOffset: (alignment) => memory.alignmentOffset(alignment),
    commit: () => undefined,
    bytes: (offset, length) => memory.bytes(offset, length),
    describe: () => memory.describe(),
    close: () => memory.close(),
  }
}

function allIds(): Uint32Array {
  return Uint32Array.from({ length: NUM_BLOCKS }, (_, block) => block)
}

/** Canonical bytes of all blocks; source and target differ in every byte. */
function contentOf(what: 'source' | 'target'): Uint8Array {
  return Uint8Array.from(
    { length: NUM_BLOCKS * BLOCK },
    (_, at) => ((at * 7 + (at >> 8) * 13) & 0x7f) + (what === 'source' ? 0 : 0x80),
  )
}

function expectedAfter(layers: LayerRange, reorder: Reorder = { ...SAME, kvHeads: KV_HEADS }): Uint8Array {
  const [after, source] = [contentOf('target'), contentOf('source')]
  const [layer, region] = [BLOCK / SHAPE.numLayers, regionBytes(SHAPE)]
  for (const [index, from] of SOURCES.entries())
    for (let at = layers.from * layer; at < layers.to * layer; at += region)
      reorderRegion(SHAPE, reorder, source, from * BLOCK + at, after, TARGETS[index]! * BLOCK + at)
  return after
}

/** Byte by byte: the place of every element follows from its token and head. */
function reorderRegion(
  shape: BlockShape,
  { from, to, kvHeads }: Reorder,
  source: Uint8Array,
  sourceOffset: number,
  target: Uint8Array,
  targetOffset: number,
): void {
  const width = rowBytes(shape) / kvHeads
  const placeOf = (order: InnerOrder, token: number, head: number): number =>
    (order === 'nhd' ? token * kvHeads + head : head * shape.pageSize + token) * width
  for (let token = 0; token < shape.pageSize; token++)
    for (let head = 0; head < kvHeads; head++)
      for (let byte = 0; byte < width; byte++)
        target[targetOffset + placeOf(to, token, head) + byte] =
          source[sourceOffset + placeOf(from, token, head) + byte]!
}

const headedShapes = fc
  .record({
    numLayers: fc.integer({ min: 1, max: 3 }),
    outerDim: fc.constantFrom(1, 2),
    pageSize: fc.integer({ min: 1, max: 9 }),
    kvHeads: fc.integer({ min: 1, max: 5 }),
    headDim: fc.integer({ min: 1, max: 20 }),
    dtype: fc.constantFrom<DType>('fp8-e4m3', 'fp16', 'fp32'),
  })
  .map(({ headDim, ...shape }) => ({ ...shape, innerDim: shape.kvHeads * headDim }))
const plots = fc.record({ type: fc.constantFrom(...TYPES), alignment: fc.constantFrom(1, 16, 64) })
const orders = fc.record({ from: fc.constantFrom('nhd', 'hnd'), to: fc.constantFrom('nhd', 'hnd') })
const layers = fc.tuple(fc.nat(3), fc.nat(3))
const blockIds = fc.nat(NUM_BLOCKS - 1)
const pairs = fc.uniqueArray(fc.tuple(blockIds, blockIds), {
  maxLength: NUM_BLOCKS,
  comparator: ([a, b], [c, d]) => a === c || b === d,
})

/** One end of a copy, over arrays of which every byte is filled. */
interface End {
  readonly layout: Layout
  readonly storages: readonly Storage[]
  readonly arrays: readonly Uint8Array[]
}

function makeEnd(
  shape: BlockShape,
  plot: Pick<LayoutGeometry, 'type' | 'alignment'>,
  runtime: NativeTransferRuntime,
  seed: number,
): End {
  const geometry = { ...plot, shape, numBlocks: NUM_BLOCKS, segmentBytes: 3 * blockBytes(shape) }
  const arrays = layoutStorageBytes(geometry).map((sizeBytes) => new Uint8Array(sizeBytes))
  for (const [index, array] of arrays.entries())
    for (let at = 0; at < array.length; at++) array[at] = at * 7 + (at >> 8) * 13 + index * 31 + seed
  const storages = arrays.map((array) => wrapMemory(array, { runtime }))
  const layout = createLayout({ ...geometry, storages })
  layout.commit(allIds().reverse())
  return { layout, storages, arrays }
}

interface NaiveCopy {
  readonly pairs: readonly (readonly [number, number])[]
  readonly layers: LayerRange
  readonly reorder: Reorder
}

/** What every byte of the target's arrays must be after the copy. */
function copyByteByByte(from: End, to: End, { pairs, layers, reorder }: NaiveCopy): Uint8Array[] {
  const { shape } = from.layout
  const after = to.arrays.map((array) => array.slice())
  for (const [source, target] of pairs)
    for (let layer = layers.from; layer < layers.to; layer++)
      for (let outer = 0; outer < shape.outerDim; outer++) {
        const [at, into] = [from.layout.locate(source, layer, outer), to.layout.locate(target, layer, outer)]
        reorderRegion(shape, reorder, from.arrays[at.storage]!, at.offset, after[into.storage]!, into.offset)
      }
  return after
}

function describeType(type: LayoutType): string {
  return JSON.stringify(type)
}
