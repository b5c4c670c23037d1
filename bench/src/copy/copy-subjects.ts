import { availableParallelism } from 'node:os'
import { type BlockShape, LayoutType, type TransferJob } from '@kvbm/core'
import { type Layout, planCopy, planPieces } from '@kvbm/layout'
import { createTransferRuntime, type NativeTransferRuntime } from '@kvbm/storage'
import type { Contender, Subject } from '../harness.js'
import { scattered } from '../scattered.js'
import { blockMemory, type PageSize } from './block-memory.js'
import { LIMIT_WAYS, type LimitQuestion, Limits } from './limits.js'

/** Far beyond what a processor's cache holds, and enough that waking a thread does not count. */
const WORKING_SET_BYTES = 512 * 2 ** 20

interface Work {
  readonly shape: BlockShape
  readonly numBlocks: number
  readonly from: LayoutType
  readonly to: LayoutType
  readonly pages: PageSize
  /** Take each block's CRC32C on the way. */
  readonly sums: boolean
  /** Plan once, not each time. */
  readonly planned: boolean
  /** Batches that `numBlocks` are moved in. */
  readonly batches: number
}

const { FullyContiguous } = LayoutType
/** Keys and values of one layer lie apart from each other: no two parts of a block are neighbours. */
const Strided = LayoutType.LayerSeparate

function shapeOf(numLayers: number, innerDim: number): BlockShape {
  return { numLayers, outerDim: 2, pageSize: 16, innerDim, dtype: 'fp16' }
}

function bytesOf({ numLayers, outerDim, pageSize, innerDim }: BlockShape): number {
  return numLayers * outerDim * pageSize * innerDim * 2
}

function whole(shape: BlockShape, more: Partial<Work> = {}): Work {
  const numBlocks = WORKING_SET_BYTES / bytesOf(shape)
  const base = {
    from: FullyContiguous,
    to: FullyContiguous,
    pages: 'huge',
    sums: false,
    planned: false,
    batches: 1,
  } as const
  return { shape, numBlocks, ...base, ...more }
}

const SIZES: Readonly<Record<string, BlockShape>> = {
  '64k': shapeOf(2, 512),
  '512k': shapeOf(16, 512),
  '1m': shapeOf(32, 512),
  '4m': shapeOf(32, 2048),
}

/** Blocks of 4 KiB go in batches of a thousand. */
const SMALL = whole(shapeOf(1, 64), { numBlocks: 32_000, batches: 32 })
const BLOCK_1M = SIZES['1m']!

const WORKS: Readonly<Record<string, Work>> = {
  'copy-4k': SMALL,
  'copy-4k-sum': { ...SMALL, sums: true },
  ...Object.fromEntries(
    Object.entries(SIZES).flatMap(([size, shape]) => [
      [`copy-${size}`, whole(shape)],
      [`copy-${size}-sum`, whole(shape, { sums: true })],
    ]),
  ),
  ...Object.fromEntries(
    (['huge', 'small'] as const).flatMap((pages) => [
      [`gather-${pages}`, whole(BLOCK_1M, { from: Strided, pages, planned: true })],
      [`scatter-${pages}`, whole(BLOCK_1M, { to: Strided, pages, planned: true })],
    ]),
  ),
}

/** Copies between memories: against the best that a program in C++ does on as many threads. */
export const COPY_SUBJECTS: Readonly<Record<string, () => Promise<Subject>>> = Object.fromEntries(
  Object.entries(WORKS).map(([name, work]) => [name, () => copySubject(name, work)]),
)

async function copySubject(name: string, work: Work): Promise<Subject> {
  const runtime = createTransferRuntime({ threads: availableParallelism() })
  const limits = await Limits.start().catch((error: unknown) => String((error as Error).message).split('\n')[0]!)
  const peers = typeof limits === 'string' ? [] : limitContenders(limits, work, runtime.threads)
  return {
    name,
    work: describe(work, runtime.threads),
    unit: 'bytes/s',
    contenders: [await transferContender(runtime, work), ...peers],
    notes: typeof limits === 'string' ? [`Not compared with the machine's limit: ${limits}`] : [],
  }
}

function describe({ shape, numBlocks, batches, pages, sums, planned, from, to }: Work, threads: number): string {
  const strided = from === Strided ? ', gathered from' : to === Strided ? ', scattered to' : ''
  const parts = strided === '' ? '' : `${strided} ${shape.numLayers * shape.outerDim} places each`
  const ways = [sums ? 'with checksums' : '', planned ? 'planned before' : 'planned each time'].filter(Boolean)
  return `${numBlocks} blocks of ${bytesOf(shape) / 1024} KiB${parts}, ${batches} batches, ${pages} pages, ${threads} threads, ${ways.join(', ')}`
}

/** Scattered blocks, planned and executed as the manager does it. */
async function transferContender(runtime: NativeTransferRuntime, work: Work): Promise<Contender> {
  const { shape, numBlocks, pages } = work
  const from = await blockMemory({ runtime, type: work.from, shape, numBlocks, pages })
  const to = await blockMemory({ runtime, type: work.to, shape, numBlocks, pages })
  const perBatch = numBlocks / work.batches
  const [fromIds, toIds] = [scattered(numBlocks), scattered(numBlocks, 11)]
  const batch = (index: number): TransferJob => {
    const part = [index * perBatch, (index + 1) * perBatch] as const
    return jobOf(from, fromIds.subarray(...part), to, toIds.subarray(...part), work.sums)
  }
  const planned = work.planned ? Array.from({ length: work.batches }, (_, index) => batch(index)) : undefined
  return {
    name: 'plan and transfer runtime',
    run: async () => {
      for (let index = 0; index < work.batches; index++) await runtime.submit(planned?.[index] ?? batch(index))
      return numBlocks * from.blockBytes
    },
    close: async () => {
      for (const storage of [...from.storages, ...to.storages]) await storage.close()
      await runtime.close()
    },
  }
}

function jobOf(from: Layout, fromIds: Uint32Array, to: Layout, toIds: Uint32Array, sums: boolean): TransferJob {
  const { runs } = planCopy({ from, fromIds, to, toIds })
  if (!sums) return { runs }
  return { runs, sums: { pieces: planPieces(to, toIds), into: new Uint32Array(toIds.length), when: 'after' } }
}

/** The same bytes as contiguous blocks. For small blocks the loop that a user would write, on one thread and on all. */
function limitContenders(limits: Limits, work: Work, allThreads: number): Contender[] {
  const blockBytes = bytesOf(work.shape)
  const question = { blockBytes, blocks: work.numBlocks, pages: work.pages }
  const loops = [1, allThreads].map((threads) => ({ ...question, way: 'memcpy', threads }) as const)
  const ways = LIMIT_WAYS.map((way) => ({ ...question, way, threads: allThreads }))
  const peers: readonly LimitQuestion[] = work.batches > 1 ? loops : ways
  return peers.map((peer, index) => ({
    name: `${peer.way} in C++, ${peer.threads === 1 ? 'one thread' : `${peer.threads} threads`}`,
    run: () => limits.copy(peer),
    close: () => (index === 0 ? limits.close() : undefined),
  }))
}
