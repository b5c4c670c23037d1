import {
  type BlockShape,
  type BoundLayout,
  type CustomLayout as CustomType,
  invalidArgument,
  type Storage,
} from '@kvbm/core'
import { expectStorages } from './expect-storages.js'
import { BaseLayout } from './layout.js'

export interface CustomOptions {
  readonly type: CustomType
  readonly shape: BlockShape
  readonly numBlocks: number
  readonly storages: readonly Storage[]
}

/** A strategy bound to a shape, its answer checked. */
export function bindStrategy({ type, shape, numBlocks }: Omit<CustomOptions, 'storages'>): BoundLayout {
  const bound = type.strategy.bind({ shape, numBlocks })
  const { storageBytes } = bound
  if (storageBytes.length === 0 || storageBytes.some((size) => !Number.isSafeInteger(size) || size < 1)) {
    throw invalidArgument(
      `${type.strategy.name}.storageBytes`,
      'a list of positive sizes',
      `[${storageBytes.join(', ')}]`,
    )
  }
  return bound
}

/** A user's own arithmetic. Every answer of the strategy is held against its own sizes before it is used. */
export class CustomLayout extends BaseLayout {
  readonly type: CustomType
  readonly #bound: BoundLayout

  constructor(options: CustomOptions) {
    super({ ...options, wholeBlocks: false })
    this.type = options.type
    this.#bound = bindStrategy(options)
    expectStorages(`custom (${options.type.strategy.name})`, options.storages, this.#bound.storageBytes)
  }

  storageOf(block: number, layer: number): number {
    return this.#bound.locate(block, layer, 0).storage
  }

  offsetOf(block: number, layer: number, outer: number): number {
    const { storage, offset } = this.#bound.locate(block, layer, outer)
    const size = this.#bound.storageBytes[storage] ?? 0
    if (Number.isSafeInteger(offset) && offset >= 0 && offset + this.regionBytes <= size) return offset
    const { name } = this.type.strategy
    throw new RangeError(
      `${name}.locate(${block}, ${layer}, ${outer}): ${this.regionBytes} bytes at ${offset} lie outside of storage ${storage} (${size} bytes). Examine the strategy with @kvbm/layout/testing.`,
    )
  }
}
