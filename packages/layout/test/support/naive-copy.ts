import { type BlockShape, regionBytes } from '@kvbm/core'
import type { LayerRange, Layout } from '../../src/index.js'
import type { ArrayStorage } from '../../src/testing/index.js'
import { regionsOf } from './random-layouts.js'

/** One end of a copy. */
export interface End {
  readonly layout: Layout
  readonly storages: readonly ArrayStorage[]
  readonly ids: Uint32Array
}

/** One byte and where it goes. */
interface Move {
  readonly from: readonly [storage: ArrayStorage, offset: number]
  readonly to: readonly [storage: ArrayStorage, offset: number]
}

/** Every single byte that a copy moves. */
export function* bytesMoved(from: End, to: End, shape: BlockShape, layers?: LayerRange): Generator<Move> {
  for (const [pair, block] of from.ids.entries())
    for (const { layer, outer } of regionsOf(shape, [block], layers)) {
      const source = from.layout.locate(block, layer, outer)
      const target = to.layout.locate(to.ids[pair]!, layer, outer)
      for (let byte = 0; byte < regionBytes(shape); byte++)
        yield {
          from: [from.storages[source.storage]!, source.offset + byte],
          to: [to.storages[target.storage]!, target.offset + byte],
        }
    }
}

/** What every byte of the target's storages must be after the copy. */
export function copyByteByByte(from: End, to: End, shape: BlockShape, layers?: LayerRange): Uint8Array[] {
  const after = to.storages.map((storage) => storage.range(0, storage.sizeBytes).slice())
  for (const move of bytesMoved(from, to, shape, layers))
    after[to.storages.indexOf(move.to[0])]![move.to[1]] = move.from[0].range(move.from[1], 1)[0]!
  return after
}

/** The fewest runs there can be: a run begins with each byte whose predecessor does not go to the place before it. */
export function fewestRuns(from: End, to: End, shape: BlockShape, layers?: LayerRange): number {
  const name = ({ from, to }: Move, back: number): string =>
    [from[0].regionId, from[1] - back, to[0].regionId, to[1] - back].join()
  const moves = [...bytesMoved(from, to, shape, layers)]
  const moved = new Set(moves.map((move) => name(move, 0)))
  return moves.filter((move) => !moved.has(name(move, 1))).length
}
