import { closeSync, constants, openSync, readSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { KvManagerModelConfig, modelFingerprint, modelShape } from '@kvbm/config'
import { blockBytes } from '@kvbm/core'
import { KvBlockManager } from '@kvbm/manager'
import { createTransferRuntime, DiskAllocator, SystemAllocator, slotDirectoryName } from '@kvbm/storage'
import { hashTokens } from '@kvbm/tokens'
import { dropPageCache } from './engine/drop-page-cache.js'
import type { Contender, Subject } from './harness.js'
import { scattered } from './scattered.js'
import { temporaryDirectory } from './temporary-directory.js'

const CHAINS = 15_625
/** Prompts of 1,024 tokens. */
const BLOCKS_PER_CHAIN = 64
const BLOCKS = CHAINS * BLOCKS_PER_CHAIN
const CHAINS_PER_COMMIT = 125
const DIRECT_READ_BYTES = 8 * 2 ** 20

/** Blocks so small that only their records matter. */
const MODEL = KvManagerModelConfig.parse({
  modelId: 'bench',
  numLayers: 1,
  outerDim: 1,
  pageSize: 16,
  innerDim: 2,
  dtype: 'fp16',
})

/** A full disk tier is opened again, nothing of it in the page cache; its table is read past the page cache, and that is all. */
export async function reopen(): Promise<Subject> {
  const directory = await temporaryDirectory()
  await fillDirectory(directory.path)
  const table = join(directory.path, slotDirectoryName(modelFingerprint(MODEL)), 'slots.kvbm')
  if (!(await dropPageCache(directory.path)))
    console.warn('reopen: the page cache cannot be dropped here: both read warm.')
  return {
    name: 'reopen',
    work: `a disk tier of ${BLOCKS} blocks is opened until they can be matched, files cold`,
    unit: 'blocks/s',
    contenders: [reopening(directory.path), await directReading(table, async () => directory[Symbol.asyncDispose]())],
  }
}

function reopening(path: string): Contender {
  let manager: Pick<KvBlockManager, 'close' | 'status'> | undefined
  const close = async (): Promise<void> => {
    await manager?.close()
    manager = undefined
  }
  return {
    name: 'KvBlockManager.create',
    run: async () => {
      await close()
      await dropPageCache(path)
      const started = performance.now()
      manager = await KvBlockManager.create({
        model: MODEL,
        diskLayout: { numBlocks: BLOCKS, allocator: { kind: 'disk', path } },
      })
      return { amount: manager.status().tiers.disk?.blocks.inactive ?? 0, ms: performance.now() - started }
    },
    close,
  }
}

/** Into memory that is there already, in as few reads as fill the device's queue. */
async function directReading(table: string, onClose: () => Promise<void>): Promise<Contender> {
  const runtime = createTransferRuntime()
  const memory = await new SystemAllocator({ runtime }).allocate({ sizeBytes: DIRECT_READ_BYTES })
  const chunk = memory.bytes(0, DIRECT_READ_BYTES)!
  return {
    name: 'its table read with O_DIRECT',
    run: async () => {
      await dropPageCache(dirname(table))
      const started = performance.now()
      readDirectly(table, chunk)
      return { amount: BLOCKS, ms: performance.now() - started }
    },
    close: async () => {
      await memory.close()
      await runtime.close()
      await onClose()
    },
  }
}

function readDirectly(path: string, chunk: Uint8Array): void {
  const file = openSync(path, constants.O_RDONLY | constants.O_DIRECT)
  for (let at = 0, length = -1; length !== 0; at += length) length = readSync(file, chunk, 0, chunk.length, at)
  closeSync(file)
}

/** What a tier looks like that was full for long: each chain has slots of its own, in no order. */
async function fillDirectory(path: string): Promise<void> {
  const runtime = createTransferRuntime()
  const slots = await new DiskAllocator(path, { runtime }).openSlots({
    fingerprint: modelFingerprint(MODEL),
    numSlots: BLOCKS,
    slotBytes: blockBytes(modelShape(MODEL)),
  })
  await slots.reserve(Uint32Array.from({ length: BLOCKS }, (_, slot) => slot))
  const places = scattered(CHAINS)
  for (let chain = 0; chain < CHAINS; chain += CHAINS_PER_COMMIT)
    await slots.commit(rowsOf(places.subarray(chain, chain + CHAINS_PER_COMMIT)))
  await slots.close()
  await runtime.close()
}

function rowsOf(places: Uint32Array) {
  const count = places.length * BLOCKS_PER_CHAIN
  const rows = {
    slots: new Uint32Array(count),
    hashes: new Uint32Array(count * 4),
    parents: new Uint32Array(count * 4),
    positions: Uint32Array.from({ length: count }, (_, row) => row % BLOCKS_PER_CHAIN),
    checksums: new Uint32Array(count),
  }
  for (const [index, place] of places.entries()) {
    const first = index * BLOCKS_PER_CHAIN
    const tokens = new Uint32Array(BLOCKS_PER_CHAIN * MODEL.pageSize).fill(place)
    const { words, backing } = hashTokens(tokens, { pageSize: MODEL.pageSize })
    for (let block = 0; block < BLOCKS_PER_CHAIN; block++) rows.slots[first + block] = place * BLOCKS_PER_CHAIN + block
    rows.hashes.set(words, first * 4)
    rows.parents.set(backing.subarray(0, words.length), first * 4)
  }
  return rows
}
