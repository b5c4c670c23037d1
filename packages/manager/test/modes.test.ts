import { blockBytes, type LayoutStrategy, LayoutType, regionBytes } from '@kvbm/core'
import { loadBinding } from '@kvbm/native'
import { createTransferRuntime, wrapMemory } from '@kvbm/storage'
import { loadXxh3 } from '@kvbm/tokens'
import { expect, test } from 'vitest'
import {
  BLOCK_BYTES,
  compute,
  computeBelow,
  content,
  expectNothingHeld,
  MODEL,
  NONE,
  openManager,
  prompt,
  readLease,
  temporaryDirectory,
} from './world.js'

/** Blocks backwards, even layers in one storage, odd ones in another. */
const layersAlternate: LayoutStrategy = {
  name: 'layers-alternate',
  bind: ({ numBlocks, shape }) => ({
    storageBytes: [0, 1].map(() => numBlocks * blockBytes(shape)),
    locate: (block, layer, outer) => ({
      storage: layer % 2,
      offset:
        ((numBlocks - 1 - block) * shape.numLayers + layer) * shape.outerDim * regionBytes(shape) +
        outer * regionBytes(shape),
    }),
  }),
}

const LAYOUTS: ReadonlyArray<readonly [string, LayoutType]> = [
  ['fully contiguous', LayoutType.FullyContiguous],
  ['layer separate', LayoutType.LayerSeparate],
  ['layer separate, block contiguous', LayoutType.LayerSeparateBlockContiguous],
  ['paged', LayoutType.Paged],
  ['custom', LayoutType.Custom(layersAlternate)],
]

test.each(LAYOUTS.map(([name, type], index) => [name, type, LAYOUTS[(index + 2) % LAYOUTS.length]!] as const))(
  'device %s: down to another layout and to disk, and up again, the bytes and checksums stay (cases 78, 85, 90)',
  async (_, deviceType, [, hostType]) => {
    using dir = temporaryDirectory()
    await using manager = await openManager({
      more: {
        deviceLayout: { numBlocks: 4, layoutType: deviceType, offloadFilter: NONE, alignment: 64 },
        hostLayout: { numBlocks: 4, layoutType: hostType, offloadFilter: NONE },
        diskLayout: { numBlocks: 8, allocator: { kind: 'disk', path: dir.path } },
      },
    })
    for (const [index, to] of (['host', 'disk'] as const).entries()) {
      const { hashes, bytes } = await computeBelow(manager, to, 3, index + 1)
      using lease = manager.match(hashes)
      expect(lease.byTier[to]).toBe(3)
      using resident = await manager.onboard(lease)
      expect(await readLease(manager, resident)).toEqual(Buffer.from(bytes))
      for (let block = 0; block < 3; block++) {
        const view = manager.view(resident.runs[0]!.blocks, block)
        const parts = view instanceof Uint8Array ? [view] : view
        expect(Buffer.concat(parts)).toEqual(
          Buffer.from(bytes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)),
        )
      }
    }
    expect(manager.status().corrupt).toEqual({ device: 0, host: 0, disk: 0 })
  },
)

test('a view is the memory itself: what is written into it is read back, and it needs a live handle', async () => {
  await using manager = await openManager({ host: 2 })
  const fresh = manager.host.allocate(2)
  const view = manager.view(fresh, 1) as Uint8Array
  view.set(content(1, 3))
  expect(Buffer.from((await manager.read(fresh)).subarray(BLOCK_BYTES))).toEqual(Buffer.from(content(1, 3)))
  for (const index of [-1, 2, 0.5, Number.NaN])
    expect(() => manager.view(fresh, index)).toThrow(/index: expected an integer from 0 to 1/)
  fresh.release()
  expect(() => manager.view(fresh, 0)).toThrow(expect.objectContaining({ code: 'KVBM_BLOCK_CONSUMED' }))
})

test('blocks on disk have no view, and the error says what to do', async () => {
  using dir = temporaryDirectory()
  await using manager = await openManager({ disk: { numBlocks: 2, path: dir.path } })
  using fresh = manager.disk.allocate(1)
  expect(() => manager.view(fresh, 0)).toThrow(/Use read\(\), or onboard them/)
  await expect(manager.read(fresh)).rejects.toThrow(/once they are registered/)
})

test.each(LAYOUTS)(
  'with poison, %s, a stale view shows 0xDD once its block is handed out again',
  async (_, layoutType) => {
    await using manager = await openManager({
      more: { hostLayout: { numBlocks: 1, layoutType } },
      settings: { poison: true },
    })
    const { kept } = await compute(manager, 1)
    const stale = [manager.view(kept, 0)].flat() as Uint8Array[]
    kept.release()
    expect(stale[0]![5]).toBe(content(1)[5])
    const next = manager.host.allocate(1)
    for (const part of stale) expect(new Set(part)).toEqual(new Set([0xdd]))
    expect(new Set(await manager.read(next))).toEqual(new Set([0xdd]))
    next.release()
  },
)

test('without poison a block handed out keeps its old bytes: nobody pays for what nobody looks at', async () => {
  await using manager = await openManager({ host: 1 })
  const { bytes, kept } = await compute(manager, 1)
  kept.release()
  using next = manager.host.allocate(1)
  expect(Buffer.from(await manager.read(next))).toEqual(Buffer.from(bytes))
})

test('the original’s XXH3 names work in every tier and after reopening, and are those of @kvbm/tokens', async () => {
  using dir = temporaryDirectory()
  const options = {
    host: 4,
    disk: { numBlocks: 4, path: dir.path },
    more: { model: { ...MODEL, hashAlgorithm: 'xxh3' } },
  } as const
  const first = await openManager(options)
  const { hashes, bytes, kept } = await compute(first, 3)
  expect(hashes.algorithm).toBe('xxh3')
  await first.settled()
  kept.release()
  const salted = (await loadXxh3()).hashTokens(prompt(3), { pageSize: MODEL.pageSize, salt: saltOf() })
  expect(hashes.toHexArray()).toEqual(salted.toHexArray())
  await first.close()
  await using second = await openManager(options)
  using lease = second.match(second.hash(prompt(3)))
  expect(lease.byTier.disk).toBe(3)
  using resident = await second.onboard(lease)
  expect(await readLease(second, resident)).toEqual(Buffer.from(bytes))
  await using other = await openManager({ host: 2 })
  expect(() => other.match(hashes)).toThrow(/hashes\.algorithm: expected 'sha256'/)
})

function saltOf(): string {
  return JSON.stringify({ modelId: 'test', dtype: 'fp16', innerOrder: 'nhd', loras: [], tenant: null })
}

test('names of another algorithm or number do not register on disk, and nothing of them is left there', async () => {
  using dir = temporaryDirectory()
  const disk = { numBlocks: 2, path: dir.path }
  const manager = await openManager({ disk })
  const fresh = manager.disk.allocate(1)
  await manager.write(fresh, content(1))
  const foreign = (await loadXxh3()).hashTokens(prompt(1), { pageSize: MODEL.pageSize, salt: '' })
  await expect(manager.register(fresh, foreign)).rejects.toThrow(/hashes\.algorithm: expected 'sha256'/)
  await expect(manager.register(fresh, manager.hash(prompt(2)))).rejects.toThrow(/hashes\.count: expected 1/)
  fresh.release()
  await manager.close()
  await using again = await openManager({ disk })
  expect(again.status().tiers.disk?.blocks).toMatchObject({ free: 2, inactive: 0 })
})

test('one tier alone, each of the three, does the whole job', async () => {
  using dir = temporaryDirectory()
  for (const only of [{ device: 4 }, { host: 4 }, { disk: { numBlocks: 4, path: dir.path } }]) {
    await using manager = await openManager(only)
    const [tier] = manager.tiers
    const { hashes, bytes, kept } = await compute(manager, 3)
    expect(Buffer.from(await manager.read(kept))).toEqual(Buffer.from(bytes))
    kept.release()
    using lease = manager.match(hashes)
    expect(lease.byTier[tier!]).toBe(3)
    using resident = await manager.onboard(lease)
    expect(await readLease(manager, resident)).toEqual(Buffer.from(bytes))
    expect(manager.status().edges).toEqual({})
    lease.release()
    resident.release()
    expectNothingHeld(manager)
  }
})

test('memory that an engine owns is a tier like any other, and stays the engine’s', async () => {
  await using asyncRuntime = createTransferRuntime({ binding: loadBinding() })
  const engine = new Uint8Array(4 * BLOCK_BYTES)
  const storage = wrapMemory(engine, { kind: 'device', runtime: asyncRuntime })
  const manager = await openManager({
    host: 4,
    more: { deviceLayout: { numBlocks: 4, storage: [storage] }, runtime: { workerId: 0, asyncRuntime } },
  })
  const { bytes, kept } = await compute(manager, 2)
  const at = kept.ids[0]! * BLOCK_BYTES
  expect(Buffer.from(engine.subarray(at, at + BLOCK_BYTES))).toEqual(Buffer.from(bytes.subarray(0, BLOCK_BYTES)))
  await manager.settled()
  expect(manager.status().edges['device-host']?.blocks).toBe(2)
  kept.release()
  await manager.close()
  expect(engine.byteLength).toBe(4 * BLOCK_BYTES)
  await storage.close()
})

test('a name that is there already: its holder keeps its own bytes, or gets the first ones, as the layout says', async () => {
  for (const duplicates of ['allow', 'reject'] as const) {
    await using manager = await openManager({ more: { hostLayout: { numBlocks: 4, duplicates } } })
    const first = await compute(manager, 1, 1)
    const fresh = manager.host.allocate(1)
    await manager.write(fresh, content(1, 2))
    const second = fresh.register(first.hashes)
    const expected = duplicates === 'allow' ? content(1, 2) : content(1, 1)
    expect(Buffer.from(await manager.read(second))).toEqual(Buffer.from(expected))
    using lease = manager.match(first.hashes)
    expect(await readLease(manager, lease)).toEqual(Buffer.from(first.bytes))
    first.kept.release()
    second.release()
  }
})

test('bytes of the wrong size or kind, and blocks that have names, are refused before anything is copied', async () => {
  await using manager = await openManager({ host: 4 })
  const fresh = manager.host.allocate(2)
  await expect(manager.write(fresh, new Uint8Array(5))).rejects.toThrow(/bytes\.byteLength: expected 16384/)
  await expect(manager.write(fresh, [1, 2] as never)).rejects.toThrow(/bytes: expected a Uint8Array, got object/)
  await manager.write(fresh, content(2))
  const into = new Uint8Array(2 * BLOCK_BYTES)
  const read = await manager.read(fresh, { into })
  expect(read.buffer).toBe(into.buffer)
  expect(Buffer.from(into)).toEqual(Buffer.from(content(2)))
  await expect(manager.read(fresh, { into: new Uint8Array(1) })).rejects.toThrow(/into\.byteLength: expected 16384/)
  const kept = fresh.register(manager.hash(prompt(2)))
  await expect(manager.write(kept as never, content(2, 5))).rejects.toThrow(/have names already/)
  expect(Buffer.from(await manager.read(kept))).toEqual(Buffer.from(content(2)))
  kept.release()
  using none = manager.host.allocate(0)
  await manager.write(none, new Uint8Array(0))
  expect(await manager.read(none)).toHaveLength(0)
})

test('another tenant, adapter or way of computing never matches the same tokens', async () => {
  await using manager = await openManager({ host: 8 })
  const { hashes, kept } = await compute(manager, 2)
  const tokens = prompt(2, 1)
  expect(manager.hash(tokens).hex(0)).toBe(hashes.hex(0))
  expect(manager.hash([...tokens]).toHexArray()).toEqual(hashes.toHexArray())
  for (const salt of [{ tenant: 'acme' }, { loras: ['style'] }, { flags: ['exact'] }]) {
    using lease = manager.match(manager.hash(tokens, salt))
    expect(lease.count).toBe(0)
  }
  kept.release()
})
