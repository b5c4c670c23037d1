import { type BlockHashes, invalidArgument, positiveInteger, WORDS_PER_HASH } from '@kvbm/core'
import { BlockHasher, type ChainStep } from './block-hasher.js'
import { type Salt, saltBytes } from './salt.js'
import { SeededXxh3 } from './seeded-xxh3.js'
import type { TokenInput } from './tokens.js'

/**
 * The seed of the step that joins a block to its parent: the salt hash (`v1`, the older convention) or zero (`current`).
 * Blocks themselves are always hashed with the salt hash as seed.
 */
export type SeedConvention = 'v1' | 'current'

/** Page size, salt and seed convention of XXH3 names. */
export interface Xxh3Options {
  /** Tokens per block. */
  readonly pageSize: number
  /** Its XXH3 with seed 0 is the salt hash. Without salt and `saltHash` the salt hash is 0. */
  readonly salt?: Salt | undefined
  /** The salt hash itself, a 64-bit unsigned number; instead of `salt`. */
  readonly saltHash?: bigint | undefined
  /** Default `current`. */
  readonly seedConvention?: SeedConvention | undefined
}

/** What `loadXxh3` gives: the 64-bit chain that the original's router speaks. Lane 0 sequence hash, lane 1 block hash. */
export class Xxh3Hasher {
  readonly #xxh3: SeededXxh3
  readonly #zero: Uint8Array

  /** @internal Use `loadXxh3`. */
  constructor(xxh3: SeededXxh3) {
    this.#xxh3 = xxh3
    this.#zero = xxh3.state(0n)
  }

  /** XXH3 of the salt's bytes with seed 0. */
  saltHash(salt: Salt): bigint {
    const words = new Uint32Array(2)
    this.#xxh3.hash({ state: this.#zero, bytes: saltBytes(salt), into: words, at: 0 })
    return (BigInt(words[1]!) << 32n) | BigInt(words[0]!)
  }

  /** A hasher for one salt and page size; its root carries the salt hash in lane 0. */
  hasher({ pageSize, salt, saltHash, seedConvention = 'current' }: Xxh3Options): BlockHasher {
    positiveInteger('pageSize', pageSize)
    const seed = this.#seed(salt, saltHash)
    const block = this.#xxh3.state(seed)
    const sequence = sequenceState({ seedConvention, salted: block, zero: this.#zero })
    return new BlockHasher({
      algorithm: 'xxh3',
      pageSize,
      root: Uint32Array.of(Number(seed & 0xffffffffn), Number(seed >> 32n), 0, 0),
      chain: (step) => chain(this.#xxh3, { ...step, pageSize, block, sequence }),
    })
  }

  /** Names of the full blocks of a sequence. */
  hashTokens(tokens: TokenInput, options: Xxh3Options): BlockHashes {
    return this.hasher(options).hashTokens(tokens)
  }

  /** Names of the full blocks that follow `parent`; unlike sha256 this needs the salt again. */
  extendHashes(parent: BlockHashes, tokens: TokenInput, options: Omit<Xxh3Options, 'pageSize'>): BlockHashes {
    return this.hasher({ ...options, pageSize: parent.pageSize }).extendHashes(parent, tokens)
  }

  #seed(salt: Salt | undefined, saltHash: bigint | undefined): bigint {
    if (saltHash === undefined) return salt === undefined ? 0n : this.saltHash(salt)
    if (salt !== undefined) throw invalidArgument('saltHash', 'nothing beside salt', saltHash)
    if (typeof saltHash !== 'bigint' || BigInt.asUintN(64, saltHash) !== saltHash)
      throw invalidArgument('saltHash', 'a bigint from 0 to 2^64 − 1', saltHash)
    return saltHash
  }
}

interface SequenceSeed {
  readonly seedConvention: SeedConvention
  readonly salted: Uint8Array
  readonly zero: Uint8Array
}

function sequenceState({ seedConvention, salted, zero }: SequenceSeed): Uint8Array {
  switch (seedConvention) {
    case 'v1':
      return salted
    case 'current':
      return zero
    default:
      throw invalidArgument('seedConvention', "'v1' or 'current'", seedConvention satisfies never)
  }
}

interface Xxh3Chain extends ChainStep {
  readonly pageSize: number
  /** States that blocks and pairs begin with. */
  readonly block: Uint8Array
  readonly sequence: Uint8Array
}

function chain(xxh3: SeededXxh3, { tokens, backing, start, pageSize, block, sequence }: Xxh3Chain): void {
  const [bytes, blockBytes] = [bytesOf(tokens), pageSize * 4]
  // The pair [parent's sequence hash, block hash]: 64-bit words, low half first.
  const pair = new Uint32Array(WORDS_PER_HASH)
  const pairBytes = bytesOf(pair)
  for (let index = 0; (index + 1) * pageSize <= tokens.length; index++) {
    const at = (index + 1) * WORDS_PER_HASH
    xxh3.hash({
      state: block,
      bytes: bytes.subarray(index * blockBytes, (index + 1) * blockBytes),
      into: backing,
      at: at + 2,
    })
    if (start + index === 0) backing.copyWithin(at, at + 2, at + 4)
    else {
      pair[0] = backing[at - 4]!
      pair[1] = backing[at - 3]!
      pair[2] = backing[at + 2]!
      pair[3] = backing[at + 3]!
      xxh3.hash({ state: sequence, bytes: pairBytes, into: backing, at })
    }
  }
}

function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
}

let loading: Promise<Xxh3Hasher> | undefined

/** A failure is not kept: whoever asks again may find memory, or the package, there by then. */
async function load(): Promise<Xxh3Hasher> {
  try {
    return new Xxh3Hasher(await SeededXxh3.create())
  } catch (error) {
    loading = undefined
    throw error
  }
}

/** Loads the WebAssembly of XXH3 (package hash-wasm) once per process; hashing is synchronous from then on. */
export function loadXxh3(): Promise<Xxh3Hasher> {
  loading ??= load()
  return loading
}
