import type { BlockShape, LayoutType, Storage } from '@kvbm/core'
import { createLayout, type Layout, layoutStorageBytes } from '@kvbm/layout'
import { type NativeTransferRuntime, SystemAllocator, wrapMemory } from '@kvbm/storage'

export type PageSize = 'huge' | 'small'

export interface BlockMemoryOptions {
  readonly runtime: NativeTransferRuntime
  readonly type: LayoutType
  readonly shape: BlockShape
  readonly numBlocks: number
  /** `huge` is the memory of a tier, which asks for them; `small` is what JavaScript gets. */
  readonly pages: PageSize
}

/** A layout over touched memory of its own. Close its storages. */
export async function blockMemory({ runtime, pages, ...shape }: BlockMemoryOptions): Promise<Layout> {
  const geometry = { ...shape, alignment: 4096 }
  const allocator = new SystemAllocator({ runtime })
  const allocate = async (sizeBytes: number): Promise<Storage> =>
    pages === 'huge' ? allocator.allocate({ sizeBytes }) : wrapMemory(new Uint8Array(sizeBytes), { runtime })
  const layout = createLayout({ ...geometry, storages: await Promise.all(layoutStorageBytes(geometry).map(allocate)) })
  layout.commit(Uint32Array.from({ length: shape.numBlocks }, (_, block) => block))
  for (const [index, storage] of layout.storages.entries()) storage.bytes(0, storage.sizeBytes)!.fill(index + 1)
  return layout
}
