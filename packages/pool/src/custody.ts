import { type BlockHashes, HashIndex, WORDS_PER_HASH } from '@kvbm/core'
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
import { FreeList } from './free-list.js'
import { InactiveList } from './inactive-list.js'
import type { RestoredBlocks } from './restore.js'

/**
 * Who holds what, block by block, as plain numbers. It trusts its callers: arguments were checked before.
 *
 * Two rules give the order of eviction. *A held block holds its parent*, by one reference for as long as somebody holds the
 * block; so a parent becomes inactive after its last held child, however handles are released. *The inactive list is in the
 * order in which blocks became inactive*, and eviction takes the first. So no block is evicted while a child of it is in the pool.
 * Both cost O(1) per block: a chain that is held already is not walked again.
 */
export class Custody {
  readonly table: BlockTable
  readonly freeList: FreeList
  /** Primaries that nobody holds; the first was used least recently. */
  readonly inactiveList: InactiveList
  /** Over the hashes of the table, like them made when first asked for. */
  #index: HashIndex | undefined
  #quarantined = 0
  #condemned = 0
  /** Held primaries whose parent is not in the pool, by the parent's hash. Made when there is the first. */
  #orphans: HashIndex | undefined

  constructor(numBlocks: number) {
    const links = new Links(numBlocks, 2)
    this.table = new BlockTable(numBlocks)
    this.freeList = new FreeList(numBlocks, new BlockList(links, numBlocks))
    this.inactiveList = new InactiveList(numBlocks, new BlockList(links, numBlocks + 1))
  }

  /** Every primary, by its hash. */
  get index(): HashIndex {
    this.#index ??= new HashIndex(this.table.hashes)
    return this.#index
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

  /** A free block, to be filled. There must be one. */
  lendFree(): number {
    return this.#lend(this.freeList.shift())
  }

  /** The block that was used least recently, to be filled; it is found no more. There must be one. */
  lendInactive(): number {
    const id = this.inactiveList.shift()
    this.index.remove(id)
    return this.#lend(id)
  }

  fill(id: number): void {
    this.table.state[id] = COMPLETE
  }

  /** Makes a held block the primary of hash `index` of a run; `parent` is the block before it, or negative. */
  name(id: number, hashes: BlockHashes, index: number, parent: number): void {
    this.table.name(id, hashes.backing, index * WORDS_PER_HASH, hashes.start + index)
    this.table.state[id] = PRIMARY
    this.index.insert(id)
    this.hold(this.#attach(id, parent), NONE)
    this.#adopt(id)
  }

  /** Makes a held block a duplicate of a primary, which it holds for as long. */
  double(id: number, primary: number): void {
    this.hold(primary, NONE)
    this.table.copyHash(primary, id)
    this.table.state[id] = DUPLICATE
    this.table.keep(id, primary)
  }

  /** One more holder; the first one makes the block hold its parent, `above` if it is that, and so on up to a block that is held. */
  hold(block: number, above: number): void {
    const { refs } = this.table
    let expected = above
    for (let id = block; id >= 0 && refs[id]!++ === 0; expected = NONE) {
      this.inactiveList.remove(id)
      id = this.#attach(id, this.#parentOf(id, expected))
    }
  }

  /** One holder less; the last one lets go what the block holds, and so on. */
  drop(block: number): void {
    const { refs } = this.table
    for (let id = block; id >= 0 && --refs[id]! === 0; ) id = this.#deactivate(id)
  }

  /** An inactive block becomes a free one. */
  forget(id: number): void {
    this.inactiveList.remove(id)
    this.index.remove(id)
    this.#free(id)
  }

  /** Takes over the names of blocks that are going to be revived, and their index. Nothing may have a name yet. */
  adoptNames(names: RestoredBlocks, index: HashIndex): void {
    this.table.adoptNames(names)
    this.#index = index
    this.#orphans = undefined
  }

  /** Free blocks that are primaries in table and index already become inactive: the first was used least recently. */
  revive(ids: Uint32Array): void {
    const { state } = this.table
    this.freeList.retain((id) => state[id] === FREE)
    this.inactiveList.fill(ids)
  }

  /** Takes a block out of use, now or after its last release. `letGoOfDiscarded` must follow if it was a held primary. */
  discard(id: number, quarantine: boolean): void {
    const { state, refs } = this.table
    const was = state[id]!
    if (was === QUARANTINED || (was === FREE && !quarantine)) return
    if (quarantine) this.#condemn(id, 1)
    if (was === PRIMARY) this.index.remove(id)
    if (refs[id]! > 0) {
      state[id] = DISCARDED
      this.drop(this.#detach(id))
    } else {
      const list = was === FREE ? this.freeList : this.inactiveList
      list.remove(id)
      this.#retire(id)
    }
  }

  /** Children and duplicates of discarded blocks let them go. Walks the table: discarding held blocks is rare. */
  letGoOfDiscarded(): void {
    const { table } = this
    const { state } = table
    for (let id = 0; id < table.count; id++) {
      const kept = table.kept(id)
      if (kept < 0 || state[kept] !== DISCARDED) continue
      table.keep(id, NONE)
      if (state[id] === PRIMARY) this.#orphan(id)
      this.drop(kept)
    }
  }

  /** A block in quarantine becomes free; one that would go there will be free after its last release. */
  pardon(id: number): void {
    this.#condemn(id, 0)
    if (this.table.state[id] !== QUARANTINED) return
    this.#quarantined--
    this.#free(id)
  }

  #lend(id: number): number {
    this.table.state[id] = MUTABLE
    this.table.refs[id] = 1
    return id
  }

  /** The registered parent of a block, or −1. `expected` saves the look-up when it is the one. */
  #parentOf(id: number, expected: number): number {
    if (this.table.positions[id] === 0) return -1
    if (expected >= 0 && this.table.isParent(expected, id)) return expected
    return this.index.find(this.table.parents, id * WORDS_PER_HASH)
  }

  /** Notes what a held primary keeps. Returns the block to hold, or a negative number. */
  #attach(id: number, parent: number): number {
    const { table } = this
    if (table.positions[id] === 0) table.keep(id, NONE)
    else if (parent >= 0) table.keep(id, table.isParent(parent, id) ? parent : NONE)
    else this.#orphan(id)
    return table.kept(id)
  }

  #detach(id: number): number {
    const kept = this.table.kept(id)
    if (kept === ORPHAN) this.#orphans?.remove(id)
    this.table.keep(id, NONE)
    return kept
  }

  #orphan(id: number): void {
    this.#orphans ??= new HashIndex(this.table.parents)
    this.#orphans.insert(id)
    this.table.keep(id, ORPHAN)
  }

  /** Held blocks that were waiting for this parent hold it from now on. */
  #adopt(id: number): void {
    const orphans = this.#orphans
    if (orphans === undefined || orphans.size === 0) return
    const { hashes } = this.table
    const at = id * WORDS_PER_HASH
    for (let child = orphans.find(hashes, at); child >= 0; child = orphans.find(hashes, at)) {
      orphans.remove(child)
      this.hold(this.#attach(child, id), NONE)
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

  #condemn(id: number, condemned: 0 | 1): void {
    this.#condemned += condemned - this.table.condemned[id]!
    this.table.condemned[id] = condemned
  }
}
