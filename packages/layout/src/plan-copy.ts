import { invalidArgument } from '@kvbm/core'
import { checkIds } from './check-index.js'
import { layoutSide } from './copy-side.js'
import type { Layout } from './layout.js'
import { type LayerRange, planBetween } from './plan-between.js'
import type { CopyPlan } from './run-list.js'

/** Some blocks of one layout, and the blocks of another that get their bytes. */
export interface CopyRequest {
  readonly from: Layout
  readonly fromIds: Uint32Array
  readonly to: Layout
  /** Parallel to `fromIds`; no id twice. */
  readonly toIds: Uint32Array
  /** Default: all. */
  readonly layers?: LayerRange
}

/**
 * The fewest runs that copy blocks between two layouts: all pieces that are neighbours on both sides are one run. Commits the
 * target blocks. Throws `RangeError` for unlike shapes, unequal lists, ids out of range and source blocks without a page.
 */
export function planCopy({ from, fromIds, to, toIds, layers }: CopyRequest): CopyPlan {
  expectAlike(from, to)
  if (fromIds.length !== toIds.length)
    throw invalidArgument('toIds.length', `${fromIds.length}, one target per source`, toIds.length)
  const range = checkLayers(from, layers)
  checkIds('fromIds', fromIds, from)
  checkIds('toIds', toIds, to)
  to.commit(toIds)
  return planBetween({ from: layoutSide(from), fromIds, to: layoutSide(to), toIds, layers: range })
}

function checkLayers({ shape }: Layout, layers: LayerRange | undefined): LayerRange {
  if (layers === undefined) return { from: 0, to: shape.numLayers }
  const { from, to } = layers
  const isRange = Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from <= to && to <= shape.numLayers
  if (!isRange) throw invalidArgument('layers', `a range within 0 to ${shape.numLayers}`, `${from} to ${to}`)
  return layers
}

function expectAlike(from: Layout, to: Layout): void {
  const [source, target] = [describe(from), describe(to)]
  if (source === target) return
  throw new RangeError(`to: blocks of unlike shapes cannot be copied: ${source} against ${target}`)
}

function describe({ shape: { numLayers, outerDim, pageSize }, regionBytes }: Layout): string {
  return `${numLayers} layers × ${outerDim} × ${pageSize} tokens, ${regionBytes} bytes a region`
}
