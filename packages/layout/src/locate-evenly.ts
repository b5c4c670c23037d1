import type { Column } from './column.js'

/** Blocks that lie in one region at equal distances. */
export interface EvenPlaces {
  readonly region: number
  /** Offset of block 0, in bytes. */
  readonly begin: number
  /** Bytes from one block to the next. */
  readonly stride: number
}

/** `Layout.locateAll` for them. */
export function locateEvenly(
  ids: Uint32Array,
  { region, begin, stride }: EvenPlaces,
  { rows, at, step }: Column,
): void {
  for (let index = 0, into = at; index < ids.length; index++, into += step) {
    rows[into] = region
    rows[into + 1] = begin + ids[index]! * stride
  }
}
