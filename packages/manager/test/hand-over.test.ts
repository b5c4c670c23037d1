import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { LayoutType, type Storage } from '@kvbm/core'
import { createTransferRuntime, type NativeTransferRuntime, openScratchFile, wrapMemory } from '@kvbm/storage'
import { describe, expect, test } from 'vitest'
import type { Manager, ManagerSettings } from '../src/index.js'
import {
  BLOCK_BYTES,
  compute,
  computeBelow,
  expectNothingHeld,
  MODEL,
  NONE,
  openManager,
  prompt,
  temporaryDirectory,
} from './world.js'

const COUNT = 6
const REGIONS = MODEL.numLayers * MODEL.outerDim
const REGION_BYTES = BLOCK_BYTES / REGIONS

const LAYOUTS = [
  ['fully-contiguous', LayoutType.FullyContiguous],
  ['layer-separate', LayoutType.LayerSeparate],
  ['layer-separate-block-contiguous', LayoutType.LayerSeparateBlockContiguous],
  ['paged', LayoutType.Paged],
] as const

/** An engine's order: layer and outer first, then the tokens of all blocks; `head` bytes in front. */
function enginePieces(count: number, head: number): Float64Array {
  const rows: number[] = []
  for (let block = 0; block < count; block++)
    for (let region = 0; region < REGIONS; region++)
      rows.push(block, region * REGION_BYTES, head + (region * count + block) * REGION_BYTES, REGION_BYTES)
  return Float64Array.from(rows)
}

/** The same order, byte by byte. */
function engineBytes(blocks: Uint8Array, head: number): Uint8Array {
  const count = blocks.length / BLOCK_BYTES
  const bytes = new Uint8Array(head + blocks.length)
  for (let block = 0; block < count; block++)
    for (let region = 0; region < REGIONS; region++) {
      const from = block * BLOCK_BYTES + region * REGION_BYTES
      bytes.set(blocks.subarray(from, from + REGION_BYTES), head + (region * count + block) * REGION_BYTES)
    }
  return bytes
}

describe.each(LAYOUTS)('with a %s host tier', (_name, layoutType) => {
  test('blocks go into an engine in its own order, and come out of it the same', async () => {
    await using world = await openWorld({ layoutType })
    const { manager, memory } = world
    const { hashes, bytes, kept } = await compute(manager, COUNT)
    using lease = manager.match(hashes)
    const into = memory(13 + bytes.length)
    expect(await manager.gather(lease).gather(enginePieces(COUNT, 13), into.storage)).toBe(COUNT)
    expect(into.bytes).toEqual(engineBytes(bytes, 13))

    const fresh = manager.host.allocate(COUNT)
    await manager.scatter(fresh).scatter(enginePieces(COUNT, 13), into.storage)
    expect(await manager.read(fresh)).toEqual(bytes)
    fresh.release()
    kept.release()
  })
})

test('the hand-over may be a file: what the engine opens has the bytes', async () => {
  await using world = await openWorld({})
  const { manager, runtime } = world
  const { hashes, bytes, kept } = await compute(manager, COUNT)
  const file = await openScratchFile({ runtime, sizeBytes: bytes.length + 7 })
  using lease = manager.match(hashes)
  expect(await manager.gather(lease).gather(enginePieces(COUNT, 7), file)).toBe(COUNT)
  expect(Uint8Array.from(readFileSync(file.path))).toEqual(engineBytes(bytes, 7))
  const fresh = manager.host.allocate(COUNT)
  await manager.scatter(fresh).scatter(enginePieces(COUNT, 7), file)
  expect(await manager.read(fresh)).toEqual(bytes)
  for (const blocks of [fresh, kept]) blocks.release()
  await file.close()
})

test.each([1, 2, 16])('blocks on disk pass through staging of %d blocks; no tier takes them up', async (staged) => {
  await using world = await openWorld({ disk: 16, settings: { stagingBytes: staged * BLOCK_BYTES } })
  const { manager, memory } = world
  const { hashes, bytes } = await computeBelow(manager, 'disk', COUNT)
  using lease = manager.match(hashes)
  expect(lease.byTier).toEqual({ device: 0, host: 0, disk: COUNT })
  const into = memory(bytes.length)
  expect(await manager.gather(lease).gather(enginePieces(COUNT, 0), into.storage)).toBe(COUNT)
  expect(into.bytes).toEqual(engineBytes(bytes, 0))
  expect(manager.host.match(hashes).count).toBe(0)
})

test('a prefix that lies in both tiers is gathered as one', async () => {
  await using world = await openWorld({ disk: 16 })
  const { manager, memory } = world
  const { hashes, bytes } = await computeBelow(manager, 'disk', COUNT)
  using disk = manager.match(hashes)
  using head = manager.match(hashes.subarray(0, 2))
  using part = await manager.onboard(head, { to: 'host' })
  using lease = manager.match(hashes)
  expect(lease.runs.map(({ tier, blocks }) => [tier, blocks.count])).toEqual([
    ['host', 2],
    ['disk', 4],
  ])
  const into = memory(bytes.length)
  expect(await manager.gather(lease).gather(enginePieces(COUNT, 0), into.storage)).toBe(COUNT)
  expect(into.bytes).toEqual(engineBytes(bytes, 0))
  expect([disk.count, part.count]).toEqual([COUNT, 2])
})

test('only the pieces that were asked for are copied', async () => {
  await using world = await openWorld({})
  const { manager, memory } = world
  const { hashes, bytes, kept } = await compute(manager, COUNT)
  using lease = manager.match(hashes)
  const into = memory(10)
  const pieces = Float64Array.of(3, 100, 2, 4)
  expect(await manager.gather(lease).gather(pieces, into.storage)).toBe(COUNT)
  const at = 3 * BLOCK_BYTES + 100
  expect(into.bytes).toEqual(Uint8Array.of(0, 0, ...bytes.subarray(at, at + 4), 0, 0, 0, 0))
  kept.release()
})

test('a bit flipped on disk ends the result before it: counted, quarantined, never served again', async () => {
  await using world = await openWorld({ disk: 16, settings: { stagingBytes: 2 * BLOCK_BYTES } })
  const { manager, memory } = world
  const { hashes, bytes } = await computeBelow(manager, 'disk', COUNT)
  using lease = manager.match(hashes)
  flipOnDisk(manager, lease.runs[0]!.blocks.ids[3]! * BLOCK_BYTES + 5)
  const into = memory(bytes.length)
  expect(await manager.gather(lease).gather(enginePieces(COUNT, 0), into.storage)).toBe(3)
  expect(manager.status().corrupt.disk).toBe(1)
  using again = manager.match(hashes)
  expect(again.count).toBe(3)
})

test('a block that rotted in host memory ends the result before it', async () => {
  await using world = await openWorld({ disk: 16 })
  const { manager, memory } = world
  const { hashes, bytes, kept } = await compute(manager, COUNT)
  expect((await manager.offload(kept)).copied).toBe(COUNT)
  const view = manager.view(kept, 2) as Uint8Array
  view[17]! ^= 1
  using lease = manager.match(hashes)
  const into = memory(bytes.length)
  expect(await manager.gather(lease).gather(enginePieces(COUNT, 0), into.storage)).toBe(2)
  expect(manager.status().corrupt.host).toBe(1)
  kept.release()
})

test('an aborted signal rejects with its reason and pins nothing', async () => {
  const world = await openWorld({ disk: 16 })
  const { manager, memory } = world
  const { hashes } = await computeBelow(manager, 'disk', COUNT)
  const lease = manager.match(hashes)
  const signal = AbortSignal.abort(new Error('nobody waits'))
  const into = memory(COUNT * BLOCK_BYTES)
  await expect(manager.gather(lease, { signal }).gather(enginePieces(COUNT, 0), into.storage)).rejects.toThrow(
    'nobody waits',
  )
  lease.release()
  expectNothingHeld(manager)
  await world[Symbol.asyncDispose]()
})

test('pieces outside of a block are a RangeError, and a lease of nothing gathers nothing', async () => {
  await using world = await openWorld({})
  const { manager, memory } = world
  const into = memory(100)
  using none = manager.match(manager.hash(prompt(2, 77)))
  expect(await manager.gather(none).gather(new Float64Array(0), into.storage)).toBe(0)
  const { hashes, kept } = await compute(manager, 1)
  using lease = manager.match(hashes)
  await expect(manager.gather(lease).gather(Float64Array.of(0, BLOCK_BYTES - 1, 0, 2), into.storage)).rejects.toThrow(
    RangeError,
  )
  kept.release()
})

test('disk blocks cannot be filled from an engine, and the error says what to do', async () => {
  await using world = await openWorld({ disk: 4 })
  using blocks = world.manager.disk.allocate(1)
  expect(() => world.manager.scatter(blocks)).toThrow(/Allocate in a memory tier/)
})

function flipOnDisk(manager: Manager, offset: number): void {
  const path = String(manager.status().tiers.disk!.storages[0]!.facts.path)
  const file = openSync(path, 'r+')
  const byte = new Uint8Array(1)
  readSync(file, byte, 0, 1, offset)
  byte[0]! ^= 8
  writeSync(file, byte, 0, 1, offset)
  closeSync(file)
}

interface HandOverWorld extends AsyncDisposable {
  readonly manager: Manager
  readonly runtime: NativeTransferRuntime
  memory(length: number): { readonly bytes: Uint8Array; readonly storage: Storage }
}

interface HandOverOptions {
  readonly layoutType?: LayoutType
  readonly disk?: number
  readonly settings?: Partial<ManagerSettings>
}

function memoryOf(runtime: NativeTransferRuntime, length: number) {
  const bytes = new Uint8Array(length)
  return { bytes, storage: wrapMemory(bytes, { runtime }) }
}

async function openWorld({
  layoutType = LayoutType.FullyContiguous,
  disk,
  settings,
}: HandOverOptions): Promise<HandOverWorld> {
  const directory = temporaryDirectory()
  const runtime = createTransferRuntime({ threads: 2 })
  const hostLayout = { numBlocks: 16, layoutType, offloadFilter: NONE }
  const manager = await openManager({
    ...(disk === undefined ? {} : { disk: { numBlocks: disk, path: directory.path } }),
    more: { hostLayout, runtime: { asyncRuntime: runtime } },
    ...(settings === undefined ? {} : { settings }),
  })
  return {
    manager,
    runtime,
    memory: (length) => memoryOf(runtime, length),
    async [Symbol.asyncDispose]() {
      await manager.close()
      await runtime.close()
      directory[Symbol.dispose]()
    },
  }
}
