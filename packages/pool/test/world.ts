import { BlockHashes, type HashAlgorithm, WORDS_PER_HASH } from '@kvbm/core'

/** A root and names made of small numbers: block `n` has the words n, n, n, n. */
export function chain(
  names: readonly number[],
  options: { parent?: number; start?: number; algorithm?: HashAlgorithm; pageSize?: number } = {},
): BlockHashes {
  const { parent = 0, start = 0, algorithm = 'sha256', pageSize = 16 } = options
  const backing = Uint32Array.from([parent, ...names].flatMap((name) => Array<number>(WORDS_PER_HASH).fill(name)))
  return new BlockHashes({ algorithm, pageSize, backing, start })
}
