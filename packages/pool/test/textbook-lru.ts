/**
 * Hits of a cache of `capacity` blocks that evicts the least recently used, as a textbook has it: requests come one at a time, the
 * hit is the leading run of cached blocks, afterwards every block counts as used, from tail to head, and a request longer than
 * the cache keeps its head. It knows nothing of parents, handles or pools.
 */
export function textbookHits(requests: Iterable<readonly number[]>, capacity: number): number {
  const used = new Set<number>()
  let hits = 0
  for (const ids of requests) {
    let prefix = 0
    while (prefix < ids.length && used.has(ids[prefix]!)) prefix++
    hits += prefix
    for (const id of ids.slice(0, capacity).reverse()) {
      used.delete(id)
      used.add(id)
    }
    for (const id of used) {
      if (used.size <= capacity) break
      used.delete(id)
    }
  }
  return hits
}
