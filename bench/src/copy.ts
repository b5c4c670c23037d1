import type { BlockShape } from '@kvbm/core'
import { createLayout, layoutStorageBytes, planCopy } from '@kvbm/layout'
import { createTransferRuntime, SystemAllocator } from '@kvbm/storage'
import type { Subject } from './harness.js'
import { scattered } from './scattered.js'

const BLOCKS = 256
const SHAPE: BlockShape = { numLayers: 16, outerDim: 2, pageSize: 16, innerDim: 512, dtype: 'fp16' }

/** Copies scattered blocks from one tier's memory to another's, planned and executed as the manager does it. */
export async function copy(): Promise<Subject> {
  const runtime = createTransferRuntime()
  const allocator = new SystemAllocator({ runtime })
  const geometry = { type: 'fully-contiguous' as const, shape: SHAPE, numBlocks: BLOCKS }
  const layoutOf = async () => {
    const storages = await Promise.all(
      layoutStorageBytes(geometry).map((sizeBytes) => allocator.allocate({ sizeBytes })),
    )
    return createLayout({ ...geometry, storages })
  }
  const [from, to] = [await layoutOf(), await layoutOf()]
  const ids = scattered(BLOCKS)
  const toIds = ids.slice().reverse()
  const bytes = BLOCKS * from.blockBytes
  for (const layout of [from, to])
    for (let block = 0; block < BLOCKS; block++) (layout.view(block) as Uint8Array).fill(block)
  const views = (layout: typeof from, order: Uint32Array) => Array.from(order, (id) => layout.view(id) as Uint8Array)
  const [sources, targets] = [views(from, ids), views(to, toIds)]
  return {
    name: 'copy',
    work: `${BLOCKS} scattered blocks of ${from.blockBytes / 1024} KiB from memory to memory`,
    unit: 'bytes/s',
    contenders: [
      {
        name: 'plan and transfer runtime',
        run: async () => {
          await runtime.submit({ runs: planCopy({ from, fromIds: ids, to, toIds }).runs })
          return bytes
        },
        close: async () => {
          for (const storage of [...from.storages, ...to.storages]) await storage.close()
          await runtime.close()
        },
      },
      {
        name: 'memcpy of each block, one thread',
        run: () => {
          for (const [index, target] of targets.entries()) target.set(sources[index]!)
          return bytes
        },
      },
    ],
  }
}
