import { type BlockEvent, BlockHashes, type HashAlgorithm, WORDS_PER_HASH } from '@kvbm/core'
import { BlockPool, type BlockPoolOptions, type ImmutableBlocks } from '../src/index.js'

export interface ChainOptions {
  /** Name of the block before the first; 0 is the root. */
  readonly parent?: number
  readonly start?: number
  readonly algorithm?: HashAlgorithm
  readonly pageSize?: number
}

/** Names made of small numbers: block `n` has the words n, n, n, n. */
export function chain(names: readonly number[], options: ChainOptions = {}): BlockHashes {
  const { parent = 0, start = 0, algorithm = 'sha256', pageSize = 16 } = options
  return new BlockHashes({ algorithm, pageSize, backing: words([parent, ...names]), start })
}

/** 1, 2, … `count` from the root on. */
export function counted(count: number): BlockHashes {
  return chain(Array.from({ length: count }, (_, index) => index + 1))
}

/** Four equal words for each name. */
export function words(names: readonly number[]): Uint32Array {
  return Uint32Array.from(names.flatMap((name) => Array<number>(WORDS_PER_HASH).fill(name)))
}

/** The small numbers behind packed names. */
export function namesOf({ words }: { readonly words: Uint32Array }): number[] {
  return Array.from({ length: words.length / WORDS_PER_HASH }, (_, index) => words[index * WORDS_PER_HASH]!)
}

export interface World extends Disposable {
  readonly pool: BlockPool
  readonly events: BlockEvent[]
  /** `+1,2` for stored, `-1,2` for removed. */
  readonly log: string[]
  /** Allocates and registers. */
  put(hashes: BlockHashes): ImmutableBlocks
}

/** A pool of `numBlocks` that is examined when the test is over. */
export function world(numBlocks: number, options: Partial<BlockPoolOptions> = {}): World {
  const events: BlockEvent[] = []
  const log: string[] = []
  const publish = (event: BlockEvent): void => {
    events.push(event)
    log.push(`${event.type === 'stored' ? '+' : '-'}${namesOf(event.hashes).join()}`)
  }
  const pool = new BlockPool({ numBlocks, pageSize: 16, leaks: 'off', eventManager: { publish }, ...options })
  const put = (hashes: BlockHashes): ImmutableBlocks => pool.allocate(hashes.count).register(hashes)
  return { pool, events, log, put, [Symbol.dispose]: () => pool.checkInvariants() }
}
