import { appendFileSync, closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { BLOCK_BYTES, compute, content, MODEL, openManager, prompt, temporaryDirectory } from './world.js'

test('blocks on disk are found and right after reopening', async () => {
  using dir = temporaryDirectory()
  const disk = { numBlocks: 16, path: dir.path }
  const before = await openManager({ host: 8, disk })
  const { hashes, bytes, kept } = await compute(before, 6)
  await before.settled()
  kept.release()
  await before.close()
  await using after = await openManager({ host: 8, disk })
  expect(after.status().tiers.disk?.blocks.inactive).toBe(6)
  using lease = after.match(hashes)
  expect(lease.byTier).toEqual({ device: 0, host: 0, disk: 6 })
  using resident = await after.onboard(lease)
  expect(Buffer.concat(await Promise.all(resident.runs.map((run) => after.read(run.blocks))))).toEqual(
    Buffer.from(bytes),
  )
})

test('after reopening, too, the tail of a prompt is evicted from disk before its head', async () => {
  using dir = temporaryDirectory()
  const disk = { numBlocks: 6, path: dir.path }
  const before = await openManager({ host: 8, disk })
  const { hashes, kept } = await compute(before, 6)
  await before.settled()
  kept.release()
  await before.close()
  await using after = await openManager({ host: 8, disk })
  after.disk.allocate(2).release()
  expect([...after.disk.scan(hashes)]).toEqual([1, 1, 1, 1, 0, 0])
})

test('blocks on disk get no name without a record: their handle refuses, and the manager names them for good', async () => {
  using dir = temporaryDirectory()
  const disk = { numBlocks: 4, path: dir.path }
  const before = await openManager({ host: 4, disk })
  const hashes = before.hash(prompt(2))
  const fresh = before.disk.allocate(2)
  await before.write(fresh, content(2))
  for (const name of [() => fresh.register(hashes), () => fresh.complete(hashes)])
    expect(name).toThrow(
      /On disk a name is a record, which is written first: await manager\.register\(blocks, hashes\)\.$/,
    )
  expect([...before.disk.scan(hashes)]).toEqual([0, 0])
  ;(await before.register(fresh, hashes)).release()
  await before.close()
  await using after = await openManager({ host: 4, disk })
  expect([...after.disk.scan(hashes)]).toEqual([1, 1])
})

test('a smaller disk tier keeps what fits, a larger one keeps all', async () => {
  using dir = temporaryDirectory()
  const open = (numBlocks: number) => openManager({ host: 8, disk: { numBlocks, path: dir.path } })
  const first = await open(8)
  const { kept } = await compute(first, 6)
  await first.settled()
  kept.release()
  await first.close()
  const smaller = await open(4)
  expect(smaller.status().tiers.disk?.blocks.inactive).toBeLessThanOrEqual(4)
  const left = smaller.status().tiers.disk!.blocks.inactive
  await smaller.close()
  await using larger = await open(32)
  expect(larger.status().tiers.disk?.blocks.inactive).toBe(left)
})

test('another model in the same directory sees nothing of the first and harms nothing', async () => {
  using dir = temporaryDirectory()
  const disk = { numBlocks: 8, path: dir.path }
  const first = await openManager({ host: 8, disk })
  const { hashes, kept } = await compute(first, 4)
  await first.settled()
  kept.release()
  await first.close()
  const other = await openManager({ host: 8, disk, more: { model: { ...MODEL, modelId: 'other' } } })
  expect(other.status().tiers.disk?.blocks.inactive).toBe(0)
  await other.close()
  await using again = await openManager({ host: 8, disk })
  using lease = again.match(hashes)
  expect(lease.count).toBe(4)
})

test('a second manager on the same directory is refused, and the first goes on', async () => {
  using dir = temporaryDirectory()
  const disk = { numBlocks: 8, path: dir.path }
  await using first = await openManager({ host: 8, disk })
  await expect(openManager({ host: 8, disk })).rejects.toMatchObject({ code: 'KVBM_DIRECTORY_LOCKED' })
  const { kept } = await compute(first, 2)
  await first.settled()
  expect(first.status().edges['host-disk']?.blocks).toBe(2)
  kept.release()
})

/** The file of the blocks' bytes, below a directory of its fingerprint. The table beside it may be larger. */
function dataFile(directory: string): string {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  return join(directory, files.find((name) => basename(name) === 'blocks.kvbm')!)
}

test('a flipped bit on disk is a miss: counted, quarantined, announced, never served', async () => {
  using dir = temporaryDirectory()
  const disk = { numBlocks: 8, path: dir.path }
  const before = await openManager({ host: 8, disk })
  const { hashes, bytes, kept } = await compute(before, 4)
  await before.settled()
  kept.release()
  await before.close()
  const data = dataFile(dir.path)
  const content = readFileSync(data)
  const at = content.indexOf(bytes.subarray(2 * BLOCK_BYTES, 3 * BLOCK_BYTES))
  expect(at).toBeGreaterThanOrEqual(0)
  const file = openSync(data, 'r+')
  writeSync(file, Buffer.from([content[at + 100]! ^ 1]), 0, 1, at + 100)
  closeSync(file)

  await using after = await openManager({ host: 8, disk })
  const events: string[] = []
  after.onEvent((event) => events.push(event.type))
  using lease = after.match(hashes)
  expect(lease.count).toBe(4)
  using resident = await after.onboard(lease)
  expect(resident.count).toBe(2)
  expect(Buffer.concat(await Promise.all(resident.runs.map((run) => after.read(run.blocks))))).toEqual(
    Buffer.from(bytes.subarray(0, 2 * BLOCK_BYTES)),
  )
  expect(after.status().corrupt.disk).toBe(1)
  expect(events).toContain('corrupt')
  lease.release()
  using again = after.match(hashes)
  expect(again.count).toBe(2)
  expect(after.status().tiers.disk?.blocks.quarantined).toBe(1)
})

test('garbage appended to or beside the files is not served', async () => {
  using dir = temporaryDirectory()
  const disk = { numBlocks: 8, path: dir.path }
  const before = await openManager({ host: 8, disk })
  const { hashes, bytes, kept } = await compute(before, 3)
  await before.settled()
  kept.release()
  await before.close()
  appendFileSync(dataFile(dir.path), Buffer.alloc(5000, 0x5a))
  await using after = await openManager({ host: 8, disk })
  using lease = after.match(hashes)
  using resident = await after.onboard(lease)
  expect(Buffer.concat(await Promise.all(resident.runs.map((run) => after.read(run.blocks))))).toEqual(
    Buffer.from(bytes),
  )
})
