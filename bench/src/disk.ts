import {
  closeSync,
  constants,
  fsyncSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BlockShape } from '@kvbm/core'
import { createLayout, layoutStorageBytes, planCopy } from '@kvbm/layout'
import { createTransferRuntime, DiskAllocator, SystemAllocator } from '@kvbm/storage'
import type { Subject } from './harness.js'

const BLOCKS = 256
const BATCH = 32
const SHAPE: BlockShape = { numLayers: 16, outerDim: 2, pageSize: 16, innerDim: 1024, dtype: 'fp16' }

/** A page-aligned buffer inside a larger one is not to be had in plain JavaScript; tier memory is page-aligned. */
export async function disk(): Promise<Subject> {
  const directory = mkdtempSync(join(tmpdir(), 'kvbm-bench-'))
  const runtime = createTransferRuntime()
  const memory = await new SystemAllocator({ runtime }).allocate({
    sizeBytes: layoutStorageBytes({ type: 'fully-contiguous', shape: SHAPE, numBlocks: BLOCKS })[0]!,
  })
  const from = createLayout({ type: 'fully-contiguous', shape: SHAPE, numBlocks: BLOCKS, storages: [memory] })
  const slots = await new DiskAllocator(directory, { runtime }).openSlots({
    fingerprint: 'bench',
    numSlots: BLOCKS,
    slotBytes: from.blockBytes,
  })
  const to = createLayout({ type: 'fully-contiguous', shape: SHAPE, numBlocks: BLOCKS, storages: [slots.storage] })
  const ids = Uint32Array.from({ length: BLOCKS }, (_, index) => index)
  for (const id of ids) (from.view(id) as Uint8Array).fill(id)
  await slots.reserve(ids)
  const bytes = BLOCKS * from.blockBytes
  const checksums = new Uint32Array(BLOCKS)
  const names = {
    hashes: Uint32Array.from({ length: BLOCKS * 4 }, (_, index) => index + 1),
    parents: new Uint32Array(BLOCKS * 4),
    positions: ids,
  }
  const write = async (): Promise<void> => {
    for (let at = 0; at < BLOCKS; at += BATCH) {
      const part = ids.subarray(at, at + BATCH)
      await slots.invalidate(part)
      await runtime.submit({ runs: planCopy({ from, fromIds: part, to, toIds: part }).runs })
      const rows = (words: Uint32Array, width: number): Uint32Array =>
        words.subarray(at * width, (at + part.length) * width)
      await slots.commit({
        slots: part,
        hashes: rows(names.hashes, 4),
        parents: rows(names.parents, 4),
        positions: part,
        checksums: rows(checksums, 1),
      })
    }
  }
  const read = async (): Promise<void> => {
    for (let at = 0; at < BLOCKS; at += BATCH) {
      const part = ids.subarray(at, at + BATCH)
      await runtime.submit({ runs: planCopy({ from: to, fromIds: part, to: from, toIds: part }).runs })
    }
  }
  const plain = openDirect(join(directory, 'plain.bin'))
  const chunk = memory.bytes(0, 2 ** 20)!
  ftruncateSync(plain, bytes)
  return {
    name: 'disk',
    work: `${BLOCKS} blocks of ${from.blockBytes / 1024} KiB written with slot records, then read back`,
    unit: 'bytes/s',
    contenders: [
      {
        name: `disk tier (${slots.describe().facts.directIo === true ? 'direct I/O' : 'buffered'})`,
        run: async () => {
          await write()
          await read()
          return 2 * bytes
        },
        close: async () => {
          await slots.close()
          await memory.close()
          await runtime.close()
        },
      },
      {
        name: 'one sequential direct write and read of the same size',
        run: () => {
          for (let at = 0; at < bytes; at += chunk.length) writeSync(plain, chunk, 0, chunk.length, at)
          fsyncSync(plain)
          for (let at = 0; at < bytes; at += chunk.length) readSync(plain, chunk, 0, chunk.length, at)
          return 2 * bytes
        },
        close: () => {
          closeSync(plain)
          rmSync(directory, { recursive: true, force: true })
        },
      },
    ],
  }
}

/** O_DIRECT where the system has it, so that the page cache is not measured. */
function openDirect(path: string): number {
  const flags = constants.O_RDWR | constants.O_CREAT
  try {
    return openSync(path, flags | (constants.O_DIRECT ?? 0), 0o600)
  } catch {
    return openSync(path, flags, 0o600)
  }
}
