/** Parts on their way at once: one is read, one is waited for by the disk, one is handed over. */
const PARTS_AT_ONCE = 3

export interface Parts {
  /** Blocks in all. */
  readonly count: number
  /** Blocks of one part. */
  readonly partMax: number
}

interface Part {
  readonly count: number
  readonly sound: Promise<number>
}

/**
 * How many blocks, from the first on, are sound. `take` says so of `count` blocks from `at` on; a few parts are taken at once, in
 * order, and none after one that was short or failed. Settles when none of them runs any more: none is left behind that still writes.
 */
export async function soundInOrder(
  { count, partMax }: Parts,
  take: (at: number, count: number) => Promise<number>,
): Promise<number> {
  const running: Part[] = []
  let begun = 0
  let sound = 0
  const begin = (): void => {
    const part = Math.min(partMax, count - begun)
    const found = take(begun, part)
    // Heard when its turn comes, or not at all.
    found.catch(() => {})
    running.push({ count: part, sound: found })
    begun += part
  }
  try {
    while (sound < count) {
      while (running.length < PARTS_AT_ONCE && begun < count) begin()
      const part = running[0]!
      const found = await part.sound
      running.shift()
      sound += found
      if (found < part.count) break
    }
    return sound
  } finally {
    await Promise.allSettled(running.map((part) => part.sound))
  }
}
