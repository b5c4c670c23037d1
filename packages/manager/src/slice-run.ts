import type { ImmutableBlocks } from '@kvbm/pool'

/** A second handle on `count` blocks of `blocks` from `offset` on. The given handle stays as it is. */
export function sliceRun(blocks: ImmutableBlocks, offset: number, count: number): ImmutableBlocks {
  const [before, from] = blocks.retain().split(offset)
  const [part, after] = from.split(count)
  after.release()
  before.release()
  return part
}
