import type { Token } from 'node-llama-cpp'

/** `count` words of the tiny model's vocabulary; a longer prompt of one seed goes on from a shorter one. */
export function words(count: number, seed = 1): Token[] {
  return Array.from(
    { length: count },
    (_, index) => ((index * 37 + seed * 101 + ((index * seed) % 13)) % 250) + 259,
  ) as Token[]
}
