import { WORDS_PER_HASH } from '@kvbm/core'

const LOW_HALF = 0xffff

/** A hash as eight UTF-16 units: the cheapest string that two equal hashes share. `index` counts hashes of `words`. */
export function hashKey(words: Uint32Array, index: number): string {
  const at = index * WORDS_PER_HASH
  const [a, b, c, d] = [words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!]
  return String.fromCharCode(
    a & LOW_HALF,
    a >>> 16,
    b & LOW_HALF,
    b >>> 16,
    c & LOW_HALF,
    c >>> 16,
    d & LOW_HALF,
    d >>> 16,
  )
}
