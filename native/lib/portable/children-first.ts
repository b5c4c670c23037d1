import { type HashIndex, WORDS_PER_HASH } from '@kvbm/core'

/** Names of blocks in columns by slot. */
export interface Lineage {
  /** Four words a row, like `parents`. */
  readonly hashes: Uint32Array
  readonly parents: Uint32Array
  readonly positions: Uint32Array
}

/**
 * Slots, given oldest first, so that none stands before a child of it: from the newest to the oldest, each takes those of its ancestors
 * that have no place yet along, the root as the newest. An order that is right already stays as it is.
 */
export function childrenFirst(slots: Uint32Array, lineage: Lineage, index: HashIndex): Uint32Array {
  const order = new Uint32Array(slots.length)
  const isPlaced = new Uint8Array(lineage.positions.length)
  let oldest = slots.length
  for (let row = slots.length - 1; row >= 0; row--) {
    const end = oldest
    for (let slot = slots[row]!; slot >= 0 && isPlaced[slot] === 0; slot = parentOf(slot, lineage, index)) {
      isPlaced[slot] = 1
      order[--oldest] = slot
    }
    order.subarray(oldest, end).reverse()
  }
  return order
}

/** The slot of the parent, or −1. Positions must fit too, so that no chain can be a circle. */
function parentOf(slot: number, { parents, positions }: Lineage, index: HashIndex): number {
  if (positions[slot] === 0) return -1
  const parent = index.find(parents, slot * WORDS_PER_HASH)
  return parent >= 0 && positions[parent] === positions[slot]! - 1 ? parent : -1
}
