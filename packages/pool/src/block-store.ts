import { type BlockHashes, type HashAlgorithm, type RemovalReason, WORDS_PER_HASH } from '@kvbm/core'
import { DISCARDED, NONE, PRIMARY } from './block-table.js'
import { Custody } from './custody.js'
import type { Notifier } from './notifier.js'
import type { PoolCounters } from './pool-counters.js'
import { chains, claim, indexOf, type RestoredBlocks, unclaim } from './restore.js'

/**
 * `allow`: a name may have several blocks, and the caller keeps its own; `reject`: the caller gets the block that was
 * first.
 */
export type DuplicatePolicy = 'allow' | 'reject'

export interface BlockStoreOptions {
  readonly numBlocks: number
  readonly counters: PoolCounters
  readonly notifier: Notifier
  /** Called after blocks became available. */
  readonly onAvailable: () => void
}

/**
 * What a pool does to runs of blocks: each operation changes the custody of all its blocks, counts, and then tells. It trusts its
 * callers: arguments were checked before.
 */
export class BlockStore {
  readonly custody: Custody
  readonly #counters: PoolCounters
  readonly #notifier: Notifier
  readonly #onAvailable: () => void

  constructor({ numBlocks, counters, notifier, onAvailable }: BlockStoreOptions) {
    this.custody = new Custody(numBlocks)
    this.#counters = counters
    this.#notifier = notifier
    this.#onAvailable = onAvailable
  }

  /** Hands out `count` available blocks: free ones first, then the least recently used. */
  take(count: number): Uint32Array {
    const ids = new Uint32Array(count)
    const free = Math.min(count, this.custody.freeList.size)
    for (let index = 0; index < free; index++) ids[index] = this.custody.lendFree()
    if (free < count) this.#evict(ids.subarray(free))
    this.#counters.allocations += count
    return ids
  }

  complete(ids: Uint32Array): void {
    for (const id of ids) this.custody.fill(id)
  }

  /** Names held blocks. Returns the blocks that the caller holds afterwards: `ids`, or with 'reject' the primaries. */
  register(ids: Uint32Array, hashes: BlockHashes, policy: DuplicatePolicy): Uint32Array {
    const { index: known } = this.custody
    const held = policy === 'reject' ? ids.slice() : ids
    let parent = hashes.start === 0 ? NONE : known.find(hashes.parent, 0)
    let fresh = 0
    for (let index = 0; index < ids.length; index++) {
      const id = ids[index]!
      const primary = known.find(hashes.words, index * WORDS_PER_HASH)
      if (primary < 0) this.custody.name(id, hashes, index, parent)
      else {
        held[index] = this.#double(id, primary, policy)
        this.#registered(ids, hashes, fresh, index)
        fresh = index + 1
      }
      parent = primary < 0 ? id : primary
    }
    this.#registered(ids, hashes, fresh, ids.length)
    this.#settled()
    return held
  }

  /** The longest prefix that is here, held. */
  match(hashes: BlockHashes): Uint32Array {
    const { words, count } = hashes
    const ids = new Uint32Array(count)
    let found = 0
    for (let above = NONE; found < count; found++) {
      const id = this.custody.index.find(words, found * WORDS_PER_HASH)
      if (id < 0) break
      this.custody.hold(id, above)
      ids[found] = id
      above = id
    }
    return found === count ? ids : ids.slice(0, found)
  }

  /** Length of the longest prefix that is here. */
  prefix(hashes: BlockHashes): number {
    let count = 0
    while (count < hashes.count && this.#find(hashes, count) >= 0) count++
    return count
  }

  scan(hashes: BlockHashes): Uint8Array {
    const present = new Uint8Array(hashes.count)
    for (let index = 0; index < hashes.count; index++) {
      if (this.#find(hashes, index) >= 0) present[index] = 1
    }
    return present
  }

  /** One more holder of blocks that are held. */
  retain(ids: Uint32Array): void {
    for (const id of ids) this.custody.table.refs[id]!++
  }

  /** One holder less, the tail first, so that the head of a run becomes inactive last. */
  release(ids: Uint32Array): void {
    for (let index = ids.length - 1; index >= 0; index--) this.custody.drop(ids[index]!)
    this.#settled()
  }

  discard(ids: Uint32Array, reason: RemovalReason, quarantine: boolean): void {
    const { state } = this.custody.table
    const removed: number[] = []
    for (const id of ids) {
      if (state[id] === PRIMARY) removed.push(id)
      this.custody.discard(id, quarantine)
    }
    this.#notifier.removed(this.#namesOf(removed), reason)
    if (removed.some((id) => state[id] === DISCARDED)) this.custody.letGoOfDiscarded()
    this.#counters.discards += removed.length
    this.#settled()
  }

  unquarantine(ids: Uint32Array): void {
    for (const id of ids) this.custody.pardon(id)
    this.#settled()
  }

  /** Forgets named blocks that nobody holds, the last one first, so that children go before parents. */
  resetNamed(hashes: BlockHashes): { reset: number; notFound: number; held: number } {
    const report = { reset: 0, notFound: 0, held: 0 }
    const ids = new Set<number>()
    for (let index = hashes.count - 1; index >= 0; index--) {
      const id = this.#find(hashes, index)
      if (id >= 0 && this.custody.table.refs[id] === 0) ids.add(id)
      else report[id < 0 ? 'notFound' : 'held']++
    }
    this.reset([...ids])
    return { ...report, reset: ids.size }
  }

  /** Inactive blocks become free, in the order given. */
  reset(ids: readonly number[]): void {
    const names = this.#namesOf(ids)
    for (const id of ids) this.custody.forget(id)
    this.#counters.resets += ids.length
    this.#notifier.removed(names, 'reset')
    this.#settled()
  }

  /**
   * Free blocks become inactive ones with names. Throws where one is not free, and returns the first row whose hash stands twice; then
   * nothing has changed.
   */
  restore(
    rows: RestoredBlocks,
    kind: { readonly algorithm: HashAlgorithm; readonly pageSize: number },
  ): number | undefined {
    const { table } = this.custody
    const { ids } = rows
    claim(ids, table)
    const index = indexOf(rows)
    if (typeof index === 'number') {
      unclaim(ids, table)
      return index
    }
    this.custody.adoptNames(rows, index)
    this.custody.revive(ids)
    if (this.#notifier.wantsStored) this.#tellStored(ids, kind)
    this.#counters.restored += ids.length
    this.#settled()
    return undefined
  }

  /** From the most recent to the oldest, so that the head of a chain is told first. */
  #tellStored(ids: Uint32Array, kind: { readonly algorithm: HashAlgorithm; readonly pageSize: number }): void {
    for (const hashes of chains(this.custody.table, ids.toReversed(), kind)) this.#notifier.stored(hashes)
  }

  #find(hashes: BlockHashes, index: number): number {
    return this.custody.index.find(hashes.words, index * WORDS_PER_HASH)
  }

  #settled(): void {
    this.#notifier.flush()
    this.#onAvailable()
  }

  #evict(into: Uint32Array): void {
    const names = this.#notifier.wantsRemoved ? new Uint32Array(into.length * WORDS_PER_HASH) : undefined
    for (let index = 0; index < into.length; index++) {
      const id = this.custody.lendInactive()
      // Its words stay in the table until it gets another name.
      if (names !== undefined) this.custody.table.readHash(id, names, index * WORDS_PER_HASH)
      into[index] = id
    }
    this.#counters.evictions += into.length
    if (names !== undefined) this.#notifier.evicted(into.slice(), names)
    this.#notifier.flush()
  }

  /** A hash that is here already: our block stays beside the primary while it is held, or goes at once. Returns what is held. */
  #double(id: number, primary: number, policy: DuplicatePolicy): number {
    this.#counters.duplicates++
    if (policy === 'allow') {
      this.custody.double(id, primary)
      return id
    }
    this.custody.hold(primary, NONE)
    this.custody.drop(id)
    return primary
  }

  #registered(ids: Uint32Array, hashes: BlockHashes, from: number, to: number): void {
    if (from === to) return
    this.#counters.registrations += to - from
    this.#notifier.registered(ids, hashes, from, to)
  }

  #namesOf(ids: readonly number[]): Uint32Array {
    const words = new Uint32Array(ids.length * WORDS_PER_HASH)
    for (const [index, id] of ids.entries()) this.custody.table.readHash(id, words, index * WORDS_PER_HASH)
    return words
  }
}
