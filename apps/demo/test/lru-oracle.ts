/**
 * An independent simulation of a cache of `capacity` blocks that evicts the least recently used: requests one at a time, the hit is
 * the longest prefix that is cached, afterwards every block of the request counts as used, the tail before the head, and a request
 * longer than the cache keeps its head. Returns hit ÷ seen.
 */
export function lruHitRatio(requests: Iterable<{ readonly hashIds: readonly number[] }>, capacity: number): number {
  const used = new Map<number, true>()
  let seen = 0
  let hit = 0
  for (const { hashIds: ids } of requests) {
    const firstMiss = ids.findIndex((id) => !used.has(id))
    const prefix = firstMiss < 0 ? ids.length : firstMiss
    seen += ids.length
    hit += prefix
    const kept = ids.slice(0, capacity)
    for (const id of kept.toReversed()) {
      used.delete(id)
      used.set(id, true)
    }
    for (const id of used.keys()) {
      if (used.size <= capacity) break
      used.delete(id)
    }
  }
  return hit / seen
}
