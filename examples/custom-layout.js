// A layout of one's own: keys in one storage, values in another, as engines with two tensors have them. First it is examined, then
// a tier uses it. Needs no model.
import { KvBlockManagerConfig, LayoutType } from '@kvbm/config'
import { regionBytes } from '@kvbm/core'
import { layoutConformance } from '@kvbm/layout/testing'
import { KvBlockManager } from '@kvbm/manager'

/** In each storage: [block][layer][token][inner]. */
const keysAndValuesApart = {
  name: 'keys-and-values-apart',
  bind({ numBlocks, shape, alignment }) {
    const region = regionBytes(shape)
    const stride = Math.ceil((shape.numLayers * region) / alignment) * alignment
    return {
      storageBytes: Array(shape.outerDim).fill(numBlocks * stride),
      locate: (block, layer, outer) => ({ storage: outer, offset: block * stride + layer * region }),
    }
  },
}
const layoutType = LayoutType.Custom(keysAndValuesApart)

for (const { name, run } of layoutConformance({ type: layoutType })) {
  run() // throws, and says for which block and shape
  console.log(`holds: ${name}`)
}

const config = KvBlockManagerConfig.parse({
  model: { numLayers: 4, outerDim: 2, pageSize: 16, innerDim: 256, dtype: 'fp16' },
  hostLayout: { numBlocks: 8, layoutType },
})
const manager = await KvBlockManager.create(config)
const blocks = manager.host.allocate(3)
const bytes = new Uint8Array(3 * manager.blockBytes).map((_, index) => index)
await manager.write(blocks, bytes)
console.log(`a block is ${[manager.view(blocks, 0)].flat().length} runs of bytes`)
console.log(`read ${Buffer.compare(await manager.read(blocks), bytes) === 0 ? 'what was written' : 'something else'}`)
blocks.release()
await manager.close()
