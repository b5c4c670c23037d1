// Every part of a configuration, by builders; then a block's way through three tiers. Needs no model.
import {
  DType,
  KvBlockManagerConfig,
  KvManagerLayoutConfig,
  KvManagerModelConfig,
  KvManagerRuntimeConfig,
  LayoutType,
} from '@kvbm/config'
import { KvBlockManager } from '@kvbm/manager'
import { createTransferRuntime } from '@kvbm/storage'

const dir = process.argv[2] ?? './kv-cache/my-model'
const asyncRuntime = createTransferRuntime()
const layout = KvManagerLayoutConfig.builder()

const config = KvBlockManagerConfig.builder()
  .runtime(KvManagerRuntimeConfig.builder().workerId(7).disableNixl().asyncRuntime(asyncRuntime).logger(console))
  .model(
    KvManagerModelConfig.builder()
      .modelId('my-model')
      .numLayers(4)
      .outerDim(2)
      .pageSize(16)
      .innerDim(256)
      .dtype(DType.FP16)
      .hashAlgorithm('sha256'),
  )
  .deviceLayout(layout.numBlocks(8).layoutType(LayoutType.LayerSeparate))
  .hostLayout(layout.bytes('4MiB').layoutType(LayoutType.Paged).allocator({ kind: 'system' }).duplicates('reject'))
  .diskLayout(layout.numBlocks(1024).allocator({ kind: 'disk', path: dir }))
  .eventManager({ publish: ({ type, tier, hashes }) => console.log(`${type} ${hashes.count} blocks in ${tier}`) })
  .integrity(true)
  .build()

const manager = await KvBlockManager.create(config)
const hashes = manager.hash(Array.from({ length: 96 }, (_, index) => index)) // a prompt: six blocks of 16 tokens
const lease = manager.match(hashes)
console.log(`${lease.count} of ${hashes.count} blocks are cached`)
lease.release()

const fresh = manager.device.allocate(hashes.count)
const bytes = new Uint8Array(fresh.count * manager.blockBytes).map((_, index) => index)
await manager.write(fresh, bytes) // what your model computed
const kept = fresh.register(hashes) // now others can find them
const { copied, present } = await manager.offload(kept, { to: 'disk' })
console.log(`${copied + present} blocks are on disk`)

const back = await manager.read(kept)
console.log(`read ${back.length} bytes, ${Buffer.compare(back, bytes) === 0 ? 'the same' : 'others'}`)
kept.release()
await manager.close()
await asyncRuntime.close()
