import type { RegionAddress } from '@kvbm/core'
import { createLayout, type LayoutGeometry, layoutStorageBytes } from '../create-layout.js'
import type { Layout } from '../layout.js'
import { planBytes } from '../plan-bytes.js'
import { ArrayStorage } from './array-storage.js'
import { executePlan } from './execute-plan.js'

/** What one examination is made for. */
export type Geometry = LayoutGeometry & { readonly alignment: number }

/** Far from every alignment, so that all slack is needed; the storages are as small as they may be. */
export const ADDRESS = 2 ** 30 + 1
const FIRST_REGION = 10

export function storagesOf(geometry: Geometry): ArrayStorage[] {
  return layoutStorageBytes(geometry).map(
    (sizeBytes, index) => new ArrayStorage({ sizeBytes, regionId: FIRST_REGION + index, address: ADDRESS }),
  )
}

export function build(geometry: Geometry): { layout: Layout; storages: ArrayStorage[]; ids: Uint32Array } {
  const storages = storagesOf(geometry)
  const ids = Uint32Array.from({ length: geometry.numBlocks }, (_, block) => block)
  return { layout: createLayout({ ...geometry, storages }), storages, ids }
}

/** Every block committed, in order. */
export function buildCommitted(geometry: Geometry): ReturnType<typeof build> {
  const world = build(geometry)
  world.layout.commit(world.ids)
  return world
}

export interface Region extends RegionAddress {
  /** `block 1, layer 2, outer 0` */
  readonly name: string
  readonly block: number
}

export function regionsOf(layout: Layout, ids: Uint32Array): Region[] {
  const { numLayers, outerDim } = layout.shape
  const regions: Region[] = []
  for (const block of ids)
    for (let layer = 0; layer < numLayers; layer++)
      for (let outer = 0; outer < outerDim; outer++) {
        const name = `block ${block}, layer ${layer}, outer ${outer}`
        regions.push({ ...layout.locate(block, layer, outer), block, name })
      }
  return regions
}

/** The regions of all blocks, committed in order. */
export function allRegions(geometry: Geometry): Region[] {
  const { layout, ids } = buildCommitted(geometry)
  return regionsOf(layout, ids)
}

export const FLAT_REGION = 1

/** A flat buffer that holds recognisable bytes: no two bytes of neighbouring blocks or regions agree for long. */
export function flatBuffer(sizeBytes: number): ArrayStorage {
  const flat = new ArrayStorage({ sizeBytes, regionId: FLAT_REGION })
  flat.commit()
  flat.range(0, sizeBytes).forEach((_, at, bytes) => {
    bytes[at] = (at * 31 + (at >> 8) * 7 + 1) & 0xff
  })
  return flat
}

export function writeBlocks(
  layout: Layout,
  storages: readonly ArrayStorage[],
  ids: Uint32Array,
  flat: ArrayStorage,
): void {
  executePlan(planBytes({ layout, ids, region: flat.regionId, direction: 'write' }), [...storages, flat])
}

export function readBlocks(layout: Layout, storages: readonly ArrayStorage[], ids: Uint32Array): Uint8Array {
  const into = new ArrayStorage({ sizeBytes: ids.length * layout.blockBytes, regionId: FLAT_REGION })
  into.commit()
  executePlan(planBytes({ layout, ids, region: into.regionId, direction: 'read' }), [...storages, into])
  return into.range(0, into.sizeBytes)
}
