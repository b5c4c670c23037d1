/** Small seeded generator (xorshift32). */
function random(seed: number): () => number {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/**
 * Block ids of chat requests: `chats` conversations over one shared first block; each request repeats its chat so far and adds a
 * few blocks. About 24 blocks a request and 40 % of blocks seen before, like the published chat traces.
 */
export function chatRequests(count: number, seed = 1): number[][] {
  const next = random(seed)
  const open: number[][] = []
  let nextId = 1
  const fresh = (length: number): number[] => Array.from({ length }, () => nextId++)
  return Array.from({ length: count }, () => {
    const goesOn = open.length > 0 && next() < 0.44
    const before = goesOn ? open.splice(Math.floor(next() * Math.min(open.length, 400)), 1)[0]! : [0]
    const request = [...before, ...fresh(goesOn ? 1 + Math.floor(next() * 6) : 2 + Math.floor(next() ** 3 * 60))]
    if (next() < 0.44) open.push(request)
    return request
  })
}
