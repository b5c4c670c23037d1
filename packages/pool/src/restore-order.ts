export interface RestoreRows {
  readonly count: number
  /** The row of the parent of a row, or −1. */
  parentOf(row: number): number
}

/**
 * The rows from most recent to oldest, given from oldest to most recent, where a parent is at least as recent as its children:
 * before a row is placed, those of its ancestors that are not placed yet are, the root first. Blocks written head first come
 * back with the tail to be evicted first; an order that is right already stays as it is.
 */
export function recentFirst({ count, parentOf }: RestoreRows): Uint32Array {
  const order = new Uint32Array(count)
  const placed = new Uint8Array(count)
  const path: number[] = []
  let size = 0
  for (let last = count - 1; last >= 0; last--) {
    for (let row = last; row >= 0 && placed[row] === 0; row = parentOf(row)) {
      placed[row] = 1
      path.push(row)
    }
    while (path.length > 0) order[size++] = path.pop()!
  }
  return order
}
