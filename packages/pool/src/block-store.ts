import { type BlockHashes, type HashAlgorithm, type RemovalReason, WORDS_PER_HASH } from '@kvbm/core'
import { BlockList, Links } from './block-list.js'
import {
  BlockTable,
  COMPLETE,
  DISCARDED,
  DUPLICATE,
  FREE,
  MUTABLE,
  NONE,
  ORPHAN,
  PRIMARY,
  QUARANTINED,
} from './block-table.js'
import { HashIndex } from './hash-index.js'
import type { Notifier } from './notifier.js'
import type { PoolCounters } from './pool-counters.js'
import { chains, nameRows, type RestoredBlocks, recentFirst, registeredParent } from './restore.js'

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
 * The life cycle of blocks as plain numbers. It trusts its callers: arguments were checked before.
 *
 * Two rules give the order of eviction. *A held block holds its parent*, by one reference for as long as somebody holds the
 * block; so a parent becomes inactive after its last held child, however handles are released. *The inactive list is in the
 * order in which blocks became inactive*, and eviction takes the first. So no block is evicted while a child of it is in the pool.
 * Both cost O(1) per block: a chain that is held already is not walked again.
 */
export class BlockStore {
  readonly table: BlockTable
  /** Every primary, by its hash. */
  readonly index: HashIndex
  readonly freeList: BlockList
  /** Primaries that nobody holds; the first was used least recently. */
  readonly inactiveList: BlockList
  #quarantined = 0
  #condemned = 0
  /** Held primaries whose parent is not in the pool, by the parent's hash. Made when there is the first. */
  #orphans: HashIndex | undefined
  readonly #counters: PoolCounters
  readonly #notifier: Notifier
  readonly #onAvailable: () => void

  constructor({ numBlocks, counters, notifier, onAvailable }: BlockStoreOptions) {
    const links = new Links(numBlocks, 2)
    this.table = new BlockTable(numBlocks)
    this.index = new HashIndex(this.table.hashes)
    this.freeList = new BlockList(links, numBlocks)
    this.inactiveList = new BlockList(links, numBlocks + 1)
    this.#counters = counters
    this.#notifier = notifier
    this.#onAvailable = onAvailable
    for (let id = 0; id < numBlocks; id++) this.freeList.push(id)
  }

  get available(): number {
    return this.freeList.size + this.inactiveList.size
  }

  get quarantined(): number {
    return this.#quarantined
  }

  /** Blocks in quarantine, and held ones that will go there. */
  get condemned(): number {
    return this.#condemned
  }

  get held(): number {
    return this.table.count - this.available - this.#quarantined
  }

  get orphans(): number {
    return this.#orphans?.size ?? 0
  }

  /** Hands out `count` available blocks: free ones first, then the least recently used. */
  take(count: number): Uint32Array {
    const ids = new Uint32Array(count)
    const free = Math.min(count, this.freeList.size)
    for (let index = 0; index < free; index++) ids[index] = this.#lend(this.freeList.shift())
    if (free < count) this.#evict(ids.subarray(free))
    this.#counters.allocations += count
    return ids
  }

  complete(ids: Uint32Array): void {
    for (const id of ids) this.table.state[id] = COMPLETE
  }

  /** Names held blocks. Returns the blocks that the caller holds afterwards: `ids`, or with 'reject' the primaries. */
  register(ids: Uint32Array, hashes: BlockHashes, policy: DuplicatePolicy): Uint32Array {
    const held = policy === 'reject' ? ids.slice() : ids
    let parent = hashes.start === 0 ? -1 : this.index.find(hashes.parent, 0)
    let fresh = 0
    for (let index = 0; index < ids.length; index++) {
      const id = ids[index]!
      const known = this.index.find(hashes.words, index * WORDS_PER_HASH)
      parent = known < 0 ? this.#name(id, hashes, index, parent) : known
      if (known < 0) continue
      held[index] = this.#double(id, known, policy)
      this.#registered(ids, hashes, fresh, index)
      fresh = index + 1
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
    for (let above = -1; found < count; found++) {
      const id = this.index.find(words, found * WORDS_PER_HASH)
      if (id < 0) break
      this.#hold(id, above)
      ids[found] = id
      above = id
    }
    return found === count ? ids : ids.slice(0, found)
  }

  /** Length of the longest prefix that is here. */
  prefix(hashes: BlockHashes): number {
    let count = 0
    while (count < hashes.count && this.index.find(hashes.words, count * WORDS_PER_HASH) >= 0) count++
    return count
  }

  scan(hashes: BlockHashes): Uint8Array {
    const present = new Uint8Array(hashes.count)
    for (let index = 0; index < hashes.count; index++) {
      if (this.index.find(hashes.words, index * WORDS_PER_HASH) >= 0) present[index] = 1
    }
    return present
  }

  /** One more holder of blocks that are held. */
  retain(ids: Uint32Array): void {
    for (const id of ids) this.table.refs[id]!++
  }

  /** One holder less, the tail first, so that the head of a run becomes inactive last. */
  release(ids: Uint32Array): void {
    for (let index = ids.length - 1; index >= 0; index--) this.#drop(ids[index]!)
    this.#settled()
  }

  discard(ids: Uint32Array, reason: RemovalReason, quarantine: boolean): void {
    const removed: number[] = []
    for (const id of ids) {
      if (this.table.state[id] === PRIMARY) removed.push(id)
      this.#discardOne(id, quarantine)
    }
    this.#notifier.removed(this.#wordsOf(removed), reason)
    if (removed.some((id) => this.table.state[id] === DISCARDED)) this.#abandonDiscarded()
    this.#counters.discards += removed.length
    this.#settled()
  }

  /** Blocks in quarantine become free; condemned ones will be free after their last release. */
  unquarantine(ids: Uint32Array): void {
    for (const id of ids) {
      this.#condemn(id, 0)
      if (this.table.state[id] !== QUARANTINED) continue
      this.#quarantined--
      this.#free(id)
    }
    this.#settled()
  }

  /** Forgets named blocks that nobody holds, the last one first, so that children go before parents. */
  resetNamed(hashes: BlockHashes): { reset: number; notFound: number; held: number } {
    const report = { reset: 0, notFound: 0, held: 0 }
    const ids = new Set<number>()
    for (let index = hashes.count - 1; index >= 0; index--) {
      const id = this.index.find(hashes.words, index * WORDS_PER_HASH)
      if (id >= 0 && this.table.refs[id] === 0) ids.add(id)
      else report[id < 0 ? 'notFound' : 'held']++
    }
    this.reset([...ids])
    return { ...report, reset: ids.size }
  }

  /** Inactive blocks become free, in the order given. */
  reset(ids: readonly number[]): void {
    const words = this.#wordsOf(ids)
    for (const id of ids) {
      this.inactiveList.remove(id)
      this.index.remove(id)
      this.#free(id)
    }
    this.#counters.resets += ids.length
    this.#notifier.removed(words, 'reset')
    this.#settled()
  }

  /** Free blocks become inactive ones with names. Returns the first row whose hash stands twice; then nothing has changed. */
  restore(
    rows: RestoredBlocks,
    { algorithm, pageSize }: { algorithm: HashAlgorithm; pageSize: number },
  ): number | undefined {
    const { table, index } = this
    const clash = nameRows(table, index, rows)
    if (clash !== undefined) return clash
    const ids = recentFirst({ ids: rows.ids, parentOf: (id) => registeredParent(table, index, id) })
    for (const id of ids) {
      this.freeList.remove(id)
      table.state[id] = PRIMARY
      this.inactiveList.unshift(id)
    }
    for (const hashes of chains(table, ids, { algorithm, pageSize })) this.#notifier.stored(hashes)
    this.#counters.restored += ids.length
    this.#settled()
    return undefined
  }

  #settled(): void {
    this.#notifier.flush()
    this.#onAvailable()
  }

  #lend(id: number): number {
    this.table.state[id] = MUTABLE
    this.table.refs[id] = 1
    return id
  }

  #evict(into: Uint32Array): void {
    const words = this.#notifier.wantsRemoved ? new Uint32Array(into.length * WORDS_PER_HASH) : undefined
    for (let index = 0; index < into.length; index++) {
      const id = this.inactiveList.shift()
      words?.set(this.table.hashOf(id), index * WORDS_PER_HASH)
      this.index.remove(id)
      into[index] = this.#lend(id)
    }
    this.#counters.evictions += into.length
    if (words !== undefined) this.#notifier.evicted(into.slice(), words)
    this.#notifier.flush()
  }

  /** Makes a held block the primary of a hash. */
  #name(id: number, hashes: BlockHashes, index: number, parent: number): number {
    this.table.name(id, hashes.backing, index * WORDS_PER_HASH, hashes.start + index)
    this.table.state[id] = PRIMARY
    this.index.insert(id)
    this.#hold(this.#attach(id, parent), NONE)
    this.#adopt(id)
    return id
  }

  /** A hash that is here already: our block stays beside the primary while it is held, or goes at once. Returns what is held. */
  #double(id: number, primary: number, policy: DuplicatePolicy): number {
    this.#counters.duplicates++
    this.#hold(primary, NONE)
    if (policy === 'reject') {
      this.#drop(id)
      return primary
    }
    this.table.hashes.copyWithin(id * WORDS_PER_HASH, primary * WORDS_PER_HASH, (primary + 1) * WORDS_PER_HASH)
    this.table.state[id] = DUPLICATE
    this.table.keeps[id] = primary
    return id
  }

  #registered(ids: Uint32Array, hashes: BlockHashes, from: number, to: number): void {
    if (from === to) return
    this.#counters.registrations += to - from
    this.#notifier.registered(ids, hashes, from, to)
  }

  /** One more holder; the first one makes the block hold its parent, and so on up to a block that is held. */
  #hold(block: number, above: number): void {
    const { refs } = this.table
    let expected = above
    for (let id = block; id >= 0 && refs[id]!++ === 0; expected = NONE) {
      this.inactiveList.remove(id)
      id = this.#attach(id, this.#parentOf(id, expected))
    }
  }

  /** One holder less; the last one lets go what the block holds, and so on. */
  #drop(block: number): void {
    const { refs } = this.table
    for (let id = block; id >= 0 && --refs[id]! === 0; ) id = this.#deactivate(id)
  }

  /** The registered parent of a block, or −1. `expected` saves the look-up when it is the one. */
  #parentOf(id: number, expected: number): number {
    if (this.table.positions[id] === 0) return -1
    if (expected >= 0 && this.table.isParent(expected, id)) return expected
    return this.index.find(this.table.parents, id * WORDS_PER_HASH)
  }

  /** Notes what a held primary keeps. Returns the block to hold, or a negative number. */
  #attach(id: number, parent: number): number {
    const { keeps, positions } = this.table
    if (positions[id] === 0) keeps[id] = NONE
    else if (parent >= 0) keeps[id] = this.table.isParent(parent, id) ? parent : NONE
    else this.#orphan(id)
    return keeps[id]!
  }

  #detach(id: number): number {
    const kept = this.table.keeps[id]!
    if (kept === ORPHAN) this.#orphans?.remove(id)
    this.table.keeps[id] = NONE
    return kept
  }

  #orphan(id: number): void {
    this.#orphans ??= new HashIndex(this.table.parents)
    this.#orphans.insert(id)
    this.table.keeps[id] = ORPHAN
  }

  /** Held blocks that were waiting for this parent hold it from now on. */
  #adopt(id: number): void {
    if (this.orphans === 0) return
    const next = (): number => this.#orphans!.find(this.table.hashes, id * WORDS_PER_HASH)
    for (let child = next(); child >= 0; child = next()) {
      this.#orphans!.remove(child)
      this.#hold(this.#attach(child, id), NONE)
    }
  }

  /** Nobody holds the block any more. Returns what it kept. */
  #deactivate(id: number): number {
    const kept = this.#detach(id)
    if (this.table.state[id] === PRIMARY) this.inactiveList.push(id)
    else this.#retire(id)
    return kept
  }

  /** The block has no name and no holder. */
  #retire(id: number): void {
    if (this.table.condemned[id] === 0) this.#free(id)
    else {
      this.table.state[id] = QUARANTINED
      this.#quarantined++
    }
  }

  /** The block that was freed last is handed out first: its memory is warm, and memory never touched stays untouched. */
  #free(id: number): void {
    this.table.state[id] = FREE
    this.freeList.unshift(id)
  }

  #discardOne(id: number, quarantine: boolean): void {
    const { state, refs } = this.table
    const was = state[id]!
    if (was === QUARANTINED || (was === FREE && !quarantine)) return
    if (quarantine) this.#condemn(id, 1)
    if (was === PRIMARY) this.index.remove(id)
    if (refs[id]! > 0) {
      state[id] = DISCARDED
      this.#drop(this.#detach(id))
    } else {
      const list = was === FREE ? this.freeList : this.inactiveList
      list.remove(id)
      this.#retire(id)
    }
  }

  #condemn(id: number, condemned: 0 | 1): void {
    this.#condemned += condemned - this.table.condemned[id]!
    this.table.condemned[id] = condemned
  }

  /** Children and duplicates of discarded blocks let them go. Walks the table: discarding held blocks is rare. */
  #abandonDiscarded(): void {
    const { keeps, state } = this.table
    for (let id = 0; id < keeps.length; id++) {
      const kept = keeps[id]!
      if (kept < 0 || state[kept] !== DISCARDED) continue
      keeps[id] = NONE
      if (state[id] === PRIMARY) this.#orphan(id)
      this.#drop(kept)
    }
  }

  #wordsOf(ids: readonly number[]): Uint32Array {
    const words = new Uint32Array(ids.length * WORDS_PER_HASH)
    for (const [index, id] of ids.entries()) words.set(this.table.hashOf(id), index * WORDS_PER_HASH)
    return words
  }
}
