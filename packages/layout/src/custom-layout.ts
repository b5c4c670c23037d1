import {
  type BlockShape,
  type BoundLayout,
  type CustomLayout as CustomType,
  invalidArgument,
  type RegionAddress,
  type Storage,
} from '@kvbm/core'
import { BaseLayout } from './base-layout.js'
import type { Column } from './column.js'
import { expectStorages } from './expect-storages.js'

export interface CustomGeometry {
  readonly type: CustomType
  readonly shape: BlockShape
  readonly numBlocks: number
  readonly alignment: number
}

/** A strategy bound to a shape, its sizes checked. */
function bindStrategy({ type, shape, numBlocks, alignment }: CustomGeometry): BoundLayout {
  const bound = type.strategy.bind({ shape, numBlocks, alignment })
  const { storageBytes } = bound
  if (storageBytes.length === 0 || storageBytes.some((size) => !Number.isSafeInteger(size) || size < 1)) {
    const what = `${type.strategy.name}.storageBytes`
    throw invalidArgument(what, 'a list of positive sizes', `[${storageBytes.join(', ')}]`)
  }
  return bound
}

/** Bytes of each storage, with slack to reach the first aligned address. */
export function customBytes(geometry: CustomGeometry): readonly number[] {
  return bindStrategy(geometry).storageBytes.map((size) => size + (geometry.alignment - 1))
}

/** A user's own arithmetic. Every answer of the strategy is held against its own sizes before it is used. */
export class CustomLayout extends BaseLayout {
  readonly type: CustomType
  readonly #bound: BoundLayout
  readonly #bases: readonly number[]

  constructor(options: CustomGeometry & { readonly storages: readonly Storage[] }) {
    const { type, storages, alignment } = options
    super({ ...options, wholeBlocks: false })
    this.type = type
    this.#bound = bindStrategy(options)
    this.#bases = storages.map((storage) => storage.alignmentOffset(alignment))
    const needed = this.#bound.storageBytes.map((size, index) => (this.#bases[index] ?? 0) + size)
    expectStorages(`custom (${type.strategy.name})`, storages, needed)
  }

  storageOf(block: number, layer: number, outer: number): number {
    return this.#ask(block, layer, outer).storage
  }

  offsetOf(block: number, layer: number, outer: number): number {
    const { storage, offset } = this.#ask(block, layer, outer)
    return this.#bases[storage]! + offset
  }

  locateAll(ids: Uint32Array, layer: number, outer: number, { rows, at, step }: Column): void {
    for (let index = 0, into = at; index < ids.length; index++, into += step) {
      const { storage, offset } = this.#ask(ids[index]!, layer, outer)
      rows[into] = this.regions[storage]!
      rows[into + 1] = this.#bases[storage]! + offset
    }
  }

  #ask(block: number, layer: number, outer: number): RegionAddress {
    const address = this.#bound.locate(block, layer, outer)
    const { storage, offset } = address
    const size = this.#bound.storageBytes[storage]
    if (size !== undefined && Number.isSafeInteger(offset) && offset >= 0 && offset + this.regionBytes <= size)
      return address
    const there = size === undefined ? 'there is no such storage' : `it has ${size} bytes`
    throw new RangeError(
      `${this.type.strategy.name}.locate(${block}, ${layer}, ${outer}): ${this.regionBytes} bytes at ${offset} lie outside of storage ${storage} (${there}). Examine the strategy with @kvbm/layout/testing.`,
    )
  }
}
