import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BlockShape, blockBytes, type LayoutStrategy, LayoutType, regionBytes, type Storage } from '@kvbm/core'
import { createLayout, type LayerRange, type Layout, layoutStorageBytes, planBytes, planCopy } from '@kvbm/layout'
import { type Binding, createPortableBinding, loadBinding } from '@kvbm/native'
import {
  createAllocator,
  createTransferRuntime,
  type NativeTransferRuntime,
  SystemAllocator,
  wrapMemory,
} from '@kvbm/storage'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

// Cases 125 and 126 on real memory and files, with both bindings: every layout × every layout × every allocator × every
// allocator and memory that an engine owns; layer ranges; neighbours of what is written stay as they are.

const SHAPE: BlockShape = { numLayers: 3, outerDim: 2, pageSize: 4, innerDim: 13, dtype: 'fp16' }
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

    async function checkCopy(source: Place, target: Place, layers: LayerRange): Promise<void> {
      await move(target, allIds(), contentOf('target'), 'write')
      await copy(source, SOURCES, target, TARGETS, layers)
      const after = new Uint8Array(NUM_BLOCKS * BLOCK)
      await move(target, allIds(), after, 'read')
      const expected = expectedAfter(layers)
      const what = `${describeType(source.layout.type)} → ${describeType(target.layout.type)}, layers ${layers.from} to ${layers.to}`
      expect(Buffer.compare(after, expected), what).toBe(0)
    }

    async function copy(from: Place, fromIds: Uint32Array, to: Place, toIds: Uint32Array, layers: LayerRange) {
      const { runs } = planCopy({ from: from.layout, fromIds, to: to.layout, toIds, layers })
      await runtime.submit({ runs })
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
    expect(real()).toEqual([2 * BLOCK, 0, 0])
    layout.commit(Uint32Array.of(0, 3))
    expect(real()).toEqual([2 * BLOCK, 2 * BLOCK, 0])
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

function expectedAfter(layers: LayerRange): Uint8Array {
  const [after, source] = [contentOf('target'), contentOf('source')]
  const layer = BLOCK / SHAPE.numLayers
  for (const [index, from] of SOURCES.entries()) {
    const [begin, end] = [layers.from * layer, layers.to * layer]
    after.set(source.subarray(from * BLOCK + begin, from * BLOCK + end), TARGETS[index]! * BLOCK + begin)
  }
  return after
}

function describeType(type: LayoutType): string {
  return JSON.stringify(type)
}
