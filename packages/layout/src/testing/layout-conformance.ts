import assert from 'node:assert/strict'
import { type BlockShape, blockBytes, dtypeName, LayoutType, regionBytes } from '@kvbm/core'
import { createLayout, layoutStorageBytes } from '../create-layout.js'
import { planCopy } from '../plan-copy.js'
import { ArrayStorage } from './array-storage.js'
import {
  ADDRESS,
  allRegions,
  build,
  buildCommitted,
  FLAT_REGION,
  flatBuffer,
  type Geometry,
  readBlocks,
  regionsOf,
  storagesOf,
  writeBlocks,
} from './conformance-world.js'
import { executePlan } from './execute-plan.js'

/** Which layout is examined, and with which geometries. */
export interface LayoutConformanceOptions {
  /** What is examined. A strategy of your own: `LayoutType.Custom(strategy)`. */
  readonly type: LayoutType
  /** Default: small ones, with one and two outer entries, one and several layers, rows of odd sizes. */
  readonly shapes?: readonly BlockShape[]
  /** Numbers of blocks. Default: 1 and 7. */
  readonly numBlocks?: readonly number[]
  /** Default: 1 and 256. Only `[1]` for a strategy that does not heed alignment, in tiers that ask for none. */
  readonly alignments?: readonly number[]
  /** Only paged: bytes of one segment. Default: as `createLayout`. */
  readonly segmentBytes?: number
}

/** One sentence that must hold, and the examination. For any test runner: `for (const c of cases) test(c.name, c.run)`. */
export interface ConformanceCase {
  readonly name: string
  run(): void
}

const SHAPES: readonly BlockShape[] = [
  { numLayers: 1, outerDim: 1, pageSize: 1, innerDim: 1, dtype: 'int8' },
  { numLayers: 1, outerDim: 2, pageSize: 16, innerDim: 8, dtype: 'fp16' },
  { numLayers: 5, outerDim: 2, pageSize: 4, innerDim: 13, dtype: 'fp32' },
  { numLayers: 3, outerDim: 1, pageSize: 2, innerDim: 1, dtype: { kind: 'opaque', bytesPerToken: 34 } },
]

/** What every layout has to do, whatever its arithmetic. Shapes should be small: every byte is examined. */
export function layoutConformance(options: LayoutConformanceOptions): ConformanceCase[] {
  return CASES.map(([name, check]) => ({
    name,
    run: () => {
      for (const geometry of geometriesOf(options)) explained(geometry, () => check(geometry))
    },
  }))
}

type Check = (geometry: Geometry) => void

const CASES: readonly (readonly [string, Check])[] = [
  ['its storages have room for every byte of every block', hasRoom],
  ['every region lies inside of its storage', staysInside],
  ['every region has a place of its own', isBijective],
  ['no two regions share a byte', sharesNothing],
  ['a region has the same place whenever it is asked for, also after binding again', isPure],
  ['a block begins at an aligned address in each of its storages', isAligned],
  ['every block keeps its own bytes when all are written, in any order', keepsBytes],
  ['copies from and to another layout keep every byte', copiesBytes],
  ['a view shows the canonical bytes of its block, and what is written through it is stored', viewsBytes],
  ['commit makes the storages of its blocks real, and may be called again', commits],
  ['an index that is none is a RangeError that names it: block, then layer, then outer', checksIndices],
  ['one storage too few, too many, too small or given twice is a RangeError', checksStorages],
]

function geometriesOf(options: LayoutConformanceOptions): Geometry[] {
  const { type, shapes = SHAPES, numBlocks = [1, 7], alignments = [1, 256], segmentBytes } = options
  return shapes.flatMap((shape) =>
    numBlocks.flatMap((count) =>
      alignments.map((alignment) => ({ type, shape, numBlocks: count, alignment, segmentBytes })),
    ),
  )
}

/** Failures say for which geometry. */
function explained(geometry: Geometry, check: () => void): void {
  try {
    check()
  } catch (error) {
    const { shape, numBlocks, alignment } = geometry
    const { numLayers, outerDim, pageSize, innerDim, dtype } = shape
    const where = `${numBlocks} blocks of ${numLayers} layers × ${outerDim} × ${pageSize} tokens × ${innerDim} ${dtypeName(dtype)}, alignment ${alignment}`
    throw new Error(`${(error as Error).message}\n(${where})`, { cause: error })
  }
}

function hasRoom(geometry: Geometry): void {
  const sizes = layoutStorageBytes(geometry)
  const total = sizes.reduce((sum, size) => sum + size, 0)
  const needed = geometry.numBlocks * blockBytes(geometry.shape)
  assert.ok(total >= needed, `storages of [${sizes.join(', ')}] bytes cannot hold the ${needed} bytes of all blocks`)
}

function staysInside(geometry: Geometry): void {
  const { layout, storages, ids } = buildCommitted(geometry)
  for (const { name, storage, offset } of regionsOf(layout, ids)) {
    const size = storages[storage]?.sizeBytes ?? 0
    const isInside = Number.isInteger(offset) && offset >= 0 && offset + layout.regionBytes <= size
    assert.ok(isInside, `${name}: ${layout.regionBytes} bytes at ${offset} of storage ${storage}, which has ${size}`)
  }
}

function isBijective(geometry: Geometry): void {
  const seen = new Map<string, string>()
  for (const { name, storage, offset } of allRegions(geometry)) {
    const place = `offset ${offset} of storage ${storage}`
    assert.ok(!seen.has(place), `${name} and ${seen.get(place)} both begin at ${place}`)
    seen.set(place, name)
  }
}

function sharesNothing(geometry: Geometry): void {
  const length = regionBytes(geometry.shape)
  const regions = allRegions(geometry).sort((a, b) => a.storage - b.storage || a.offset - b.offset)
  for (const [index, region] of regions.slice(1).entries()) {
    const before = regions[index]!
    const shared = before.storage === region.storage ? before.offset + length - region.offset : 0
    assert.ok(shared <= 0, `${before.name} and ${region.name} share ${shared} bytes of storage ${region.storage}`)
  }
}

function isPure(geometry: Geometry): void {
  const { layout, ids } = buildCommitted(geometry)
  const first = regionsOf(layout, ids)
  assert.deepEqual(regionsOf(layout, ids), first, 'asked again, it answers differently')
  for (const id of ids.slice().reverse()) {
    const expected = first.filter(({ block }) => block === id)
    assert.deepEqual(regionsOf(layout, Uint32Array.of(id)), expected, `asked in another order, block ${id} moved`)
  }
  assert.deepEqual(allRegions(geometry), first, 'bound again, it answers differently')
}

function isAligned(geometry: Geometry): void {
  const begins = new Map<string, number>()
  for (const { block, storage, offset } of allRegions(geometry)) {
    const place = `block ${block} begins in storage ${storage}`
    begins.set(place, Math.min(offset, begins.get(place) ?? offset))
  }
  for (const [place, offset] of begins) {
    const behind = (ADDRESS + offset) % geometry.alignment
    assert.equal(behind, 0, `${place} ${behind} bytes behind a multiple of ${geometry.alignment}`)
  }
}

function keepsBytes(geometry: Geometry): void {
  const { layout, storages, ids } = build(geometry)
  const backwards = ids.slice().reverse()
  const flat = flatBuffer(ids.length * layout.blockBytes)
  writeBlocks(layout, storages, backwards, flat)
  assert.deepEqual(readBlocks(layout, storages, backwards), flat.range(0, flat.sizeBytes), 'all blocks, read at once')
  for (const [index, id] of backwards.entries()) {
    const expected = flat.range(index * layout.blockBytes, layout.blockBytes)
    assert.deepEqual(readBlocks(layout, storages, Uint32Array.of(id)), expected, `block ${id}`)
  }
}

function copiesBytes(geometry: Geometry): void {
  const examined = build(geometry)
  const { shape, numBlocks } = geometry
  const plain = { type: LayoutType.FullyContiguous, shape, numBlocks }
  const flat = flatBuffer(numBlocks * blockBytes(shape))
  const [from, to] = [flat, new ArrayStorage({ sizeBytes: flat.sizeBytes, regionId: FLAT_REGION + 1 })]
  const [source, target] = [from, to].map((storage) => createLayout({ ...plain, storages: [storage] }))
  const { layout, ids, storages } = examined
  executePlan(planCopy({ from: source!, fromIds: ids, to: layout, toIds: ids }), [from, ...storages])
  executePlan(planCopy({ from: layout, fromIds: ids, to: target!, toIds: ids }), [to, ...storages])
  assert.deepEqual(to.range(0, to.sizeBytes), from.range(0, from.sizeBytes))
}

function viewsBytes(geometry: Geometry): void {
  const { layout, storages, ids } = build(geometry)
  const flat = flatBuffer(ids.length * layout.blockBytes)
  writeBlocks(layout, storages, ids, flat)
  for (const id of ids) {
    const views = [layout.view(id)].flat() as Uint8Array[]
    const expected = flat.range(id * layout.blockBytes, layout.blockBytes)
    assert.deepEqual(Uint8Array.from(Buffer.concat(views)), Uint8Array.from(expected), `the view of block ${id}`)
    for (const view of views) view.fill(id + 1)
  }
  for (const id of ids) {
    const written = readBlocks(layout, storages, Uint32Array.of(id))
    assert.ok(
      written.every((byte) => byte === id + 1),
      `block ${id} does not hold what was written through its view`,
    )
  }
}

function commits(geometry: Geometry): void {
  const { layout, storages, ids } = build(geometry)
  for (const id of ids.slice().reverse()) {
    const own = Uint32Array.of(id)
    layout.commit(own)
    const regions = regionsOf(layout, own)
    for (const { name, storage } of regions)
      assert.ok(storages[storage]?.committed, `${name} was committed, its storage ${storage} was not`)
    layout.commit(Uint32Array.of(id, id))
    assert.deepEqual(regionsOf(layout, own), regions, `committed again, block ${id} moved`)
  }
}

function checksIndices(geometry: Geometry): void {
  const { layout } = buildCommitted(geometry)
  const { numBlocks, shape } = geometry
  const { numLayers, outerDim } = shape
  const refuses = (act: () => unknown, axis: string): void =>
    assert.throws(act, { name: 'RangeError', message: new RegExp(`^${axis}`) })
  for (const bad of [numBlocks, -1, 0.5]) refuses(() => layout.locate(bad, numLayers, outerDim), 'block')
  for (const bad of [numLayers, -1, 0.5]) refuses(() => layout.locate(0, bad, outerDim), 'layer')
  for (const bad of [outerDim, -1, 0.5]) refuses(() => layout.locate(0, 0, bad), 'outer')
  refuses(() => layout.view(numBlocks), 'block')
  refuses(() => layout.commit(Uint32Array.of(0, numBlocks)), 'ids\\[1\\]')
}

function checksStorages(geometry: Geometry): void {
  const storages = storagesOf(geometry)
  const refuses = (wrong: readonly ArrayStorage[], what: string): void =>
    assert.throws(() => createLayout({ ...geometry, storages: wrong }), RangeError, `${what} was not refused`)
  refuses(storages.slice(1), 'one storage too few')
  refuses([...storages, storages[0]!], 'one storage too many')
  for (const [index, { sizeBytes, regionId }] of storages.entries()) {
    const smaller = new ArrayStorage({ sizeBytes: sizeBytes - 1, regionId, address: ADDRESS })
    refuses(storages.with(index, smaller), `storage ${index}, one byte too small,`)
    if (index > 0) refuses(storages.with(index, storages[0]!), `storage ${index}, given twice,`)
  }
}
