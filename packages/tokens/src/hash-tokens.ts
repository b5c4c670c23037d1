import type { BlockHashes } from '@kvbm/core'
import { invalidArgument } from '@kvbm/core'
import type { BlockHasher } from './block-hasher.js'
import { type Sha256Options, sha256Hasher } from './sha256-hasher.js'
import type { TokenInput } from './tokens.js'

/** Page size, salt and algorithm of a prompt's names. */
export interface HashTokensOptions extends Sha256Options {
  /** Only `sha256`; for `xxh3` see `loadXxh3`. */
  readonly algorithm?: 'sha256' | undefined
}

// Hashers of text salts used lately, so that a prompt costs one native call. Oldest entry leaves first.
const HASHERS_MAX = 256
const hashers = new Map<string, BlockHasher>()

function hasherFor({ algorithm = 'sha256', ...options }: HashTokensOptions): BlockHasher {
  if (algorithm !== 'sha256') throw invalidArgument('algorithm', "'sha256' (for xxh3 use loadXxh3)", algorithm)
  const { pageSize, salt = '', binding } = options
  if (typeof salt !== 'string' || binding !== undefined) return sha256Hasher(options)
  const key = `${typeof pageSize} ${pageSize}:${salt}`
  return hashers.get(key) ?? remember(key, sha256Hasher(options))
}

function remember(key: string, hasher: BlockHasher): BlockHasher {
  if (hashers.size >= HASHERS_MAX) hashers.delete(hashers.keys().next().value!)
  hashers.set(key, hasher)
  return hasher
}

/**
 * Names of the full blocks of a prompt under a salt, in one native call; ⌊tokens ÷ pageSize⌋ hashes. Throws `RangeError`
 * for a token that is not a 32-bit unsigned integer.
 */
export function hashTokens(tokens: TokenInput, options: HashTokensOptions): BlockHashes {
  return hasherFor(options).hashTokens(tokens)
}

/** The four words that stand before the first block of every sequence under this salt and page size. */
export function rootHash(options: HashTokensOptions): Uint32Array {
  return hasherFor(options).root.slice()
}

/**
 * Names of the full blocks that follow `parent`; `tokens` begin right after its last block. Needs no salt: whoever knows
 * a block's hash can go on from it. Only for sha256; hashes of another algorithm throw `RangeError`.
 */
export function extendHashes(parent: BlockHashes, tokens: TokenInput): BlockHashes {
  return hasherFor({ pageSize: parent.pageSize }).extendHashes(parent, tokens)
}
