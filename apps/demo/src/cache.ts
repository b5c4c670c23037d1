import { KvbmError } from '@kvbm/core'
import { KvBlockManager, type Manager } from '@kvbm/manager'
import { UsageError } from './usage-error.js'

/** A tier of 0 blocks is not there. */
export interface CacheOptions {
  readonly deviceBlocks: number
  readonly hostBlocks: number
  readonly diskBlocks: number
  readonly blockBytes: number
  /** Directory of the disk tier. */
  readonly dir: string
}

/** Tokens of one block of the model. */
export const PAGE_SIZE = 16
const LAYERS = 4
const OUTER = 2
const ELEMENT_BYTES = 2

/** A manager with the tiers that have blocks. Throws `UsageError` where this machine or the directory does not allow it. */
export async function openCache(options: CacheOptions): Promise<Manager> {
  try {
    return await openAllTiers(options)
  } catch (error) {
    if (error instanceof KvbmError) throw new UsageError(error.message, { cause: error })
    throw error
  }
}

/** The model is as small as a block of `blockBytes` asks for. */
async function openAllTiers(options: CacheOptions): Promise<Manager> {
  const { deviceBlocks, hostBlocks, diskBlocks, blockBytes, dir } = options
  const innerDim = blockBytes / (LAYERS * OUTER * PAGE_SIZE * ELEMENT_BYTES)
  const manager = (await KvBlockManager.create({
    model: { modelId: 'demo', numLayers: LAYERS, outerDim: OUTER, pageSize: PAGE_SIZE, innerDim, dtype: 'fp16' },
    ...(deviceBlocks > 0 ? { deviceLayout: { numBlocks: deviceBlocks } } : {}),
    ...(hostBlocks > 0 ? { hostLayout: { numBlocks: hostBlocks, layoutType: 'paged' as const } } : {}),
    ...(diskBlocks > 0
      ? { diskLayout: { numBlocks: diskBlocks, allocator: { kind: 'disk' as const, path: dir } } }
      : {}),
  })) as Manager
  // A directory that cannot be locked safely, say on a network share: the manager would go on without this tier.
  const { off } = manager.status()
  if (off.disk === undefined) return manager
  await manager.close()
  throw new UsageError(`--dir: ${off.disk}`)
}
