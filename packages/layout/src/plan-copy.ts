import { invalidArgument } from '@kvbm/core'
import { checkIds } from './check-index.js'
import type { LayerRange } from './checked-copy.js'
import type { CopyPlan } from './copy-plan.js'
import { layoutSide } from './copy-side.js'
import type { Layout } from './layout.js'
import { planBetween } from './plan-between.js'
import { planTables } from './plan-tables.js'
import { type Reorder, tableOf } from './reorder.js'

/** Some blocks of one layout, and the blocks of another that get their bytes. */
export interface CopyRequest {
  readonly from: Layout
  readonly fromIds: Uint32Array
  readonly to: Layout
  /** Parallel to `fromIds`; no id twice. */
  readonly toIds: Uint32Array
  /** Default: all. */
  readonly layers?: LayerRange
  /** Default: bytes keep their order. */
  readonly reorder?: Reorder
}

/**
 * The fewest runs that copy blocks between two layouts: all pieces that are neighbours on both sides are one run. Commits the
 * target blocks. Throws `RangeError` for unlike shapes, unequal lists, ids out of range and source blocks without a page.
 *
 * Where `reorder` changes the order of elements, every region is a run of its own and the plan says how to transpose it: memory to
 * memory only, and not onto itself; a runtime refuses others.
 */
export function planCopy({ from, fromIds, to, toIds, layers, reorder }: CopyRequest): CopyPlan {
  expectAlike(from, to)
  if (fromIds.length !== toIds.length)
    throw invalidArgument('toIds.length', `${fromIds.length}, one target per source`, toIds.length)
  const range = checkLayers(from, layers)
  const table = reorder && tableOf(from.shape, reorder)
  checkIds('fromIds', fromIds, from)
  checkIds('toIds', toIds, to)
  to.commit(toIds)
  const copy = { from: layoutSide(from), fromIds, to: layoutSide(to), toIds, layers: range }
  return table === undefined ? planBetween(copy) : planTables(copy, table)
}

function checkLayers({ shape }: Layout, layers: LayerRange | undefined): LayerRange {
  if (layers === undefined) return { from: 0, to: shape.numLayers }
  const { from, to } = layers
  const isRange = Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from <= to && to <= shape.numLayers
  if (!isRange) throw invalidArgument('layers', `a range within 0 to ${shape.numLayers}`, `${from} to ${to}`)
  return layers
}

function expectAlike(from: Layout, to: Layout): void {
  const [source, target] = [from.shape, to.shape]
  const alike =
    source.numLayers === target.numLayers &&
    source.outerDim === target.outerDim &&
    source.pageSize === target.pageSize &&
    from.regionBytes === to.regionBytes
  if (alike) return
  throw new RangeError(`to: blocks of unlike shapes cannot be copied: ${describe(from)} against ${describe(to)}`)
}

function describe({ shape: { numLayers, outerDim, pageSize }, regionBytes }: Layout): string {
  return `${numLayers} layers × ${outerDim} × ${pageSize} tokens, ${regionBytes} bytes a region`
}
