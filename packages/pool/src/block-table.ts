import { WORDS_PER_HASH } from '@kvbm/core'

/** In the free list: nobody holds it, it has no name. */
export const FREE = 0
/** Held by one handle, being filled. */
export const MUTABLE = 1
/** Held by one handle, filled, not named yet. */
export const COMPLETE = 2
/** The one block of this pool that is found by its hash: held while `refs > 0`, else inactive and evictable. */
export const PRIMARY = 3
/** Held, with the same hash as a primary; never found; free after its last release. */
export const DUPLICATE = 4
/** Held, but taken out of use: free or quarantined after its last release. */
export const DISCARDED = 5
/** Held by nobody and not handed out until it is released from quarantine. */
export const QUARANTINED = 6

/** `kept`: the block holds no other block. */
export const NONE = -1
/** `kept`: the block would hold its parent, which is not in the pool. */
export const ORPHAN = -2

/**
 * The truth about every block: one row of numbers each, in columns. Lists, indices and counts are derived from it, and
 * `checkInvariants` compares them with it.
 */
export class BlockTable {
  readonly count: number
  readonly state: Uint8Array
  /** Handles that hold the block, plus held blocks that keep it. */
  readonly refs: Uint32Array
  /** 1: after its last release the block goes to quarantine, not to the free list. */
  readonly condemned: Uint8Array
  /** One above what `kept` gives, so that memory no block has used says `NONE`. */
  readonly #keeps: Int32Array
  /** Names are columns of their own, made when they are first asked for: a pool that takes some over makes none. */
  #hashes: Uint32Array | undefined
  #parents: Uint32Array | undefined
  #positions: Uint32Array | undefined

  constructor(count: number) {
    this.count = count
    this.state = new Uint8Array(count)
    this.refs = new Uint32Array(count)
    this.condemned = new Uint8Array(count)
    this.#keeps = new Int32Array(count)
  }

  /** Which block this one holds while it is held itself: its parent, or the primary of a duplicate; or `NONE`, `ORPHAN`. */
  kept(id: number): number {
    return this.#keeps[id]! - 1
  }

  keep(id: number, block: number): void {
    this.#keeps[id] = block + 1
  }

  /** Four words per block: the names of primaries and duplicates. */
  get hashes(): Uint32Array {
    this.#hashes ??= new Uint32Array(this.count * WORDS_PER_HASH)
    return this.#hashes
  }

  /** Four words per block; like positions for primaries only. */
  get parents(): Uint32Array {
    this.#parents ??= new Uint32Array(this.count * WORDS_PER_HASH)
    return this.#parents
  }

  get positions(): Uint32Array {
    this.#positions ??= new Uint32Array(this.count)
    return this.#positions
  }

  /** Takes columns over in place of its own, while no block has a name. */
  adoptNames({ hashes, parents, positions }: Pick<BlockTable, 'hashes' | 'parents' | 'positions'>): void {
    this.#hashes = hashes
    this.#parents = parents
    this.#positions = positions
  }

  /** Gives the block its name. `backing` holds the parent's four words at `at` and the block's own right after them. */
  name(id: number, backing: Uint32Array, at: number, position: number): void {
    const to = id * WORDS_PER_HASH
    for (let word = 0; word < WORDS_PER_HASH; word++) {
      this.parents[to + word] = backing[at + word]!
      this.hashes[to + word] = backing[at + WORDS_PER_HASH + word]!
    }
    this.positions[id] = position
  }

  /** Writes the four words of a block's name to `into`, from `at` on. No view of them: that would be an object per block. */
  readHash(id: number, into: Uint32Array, at: number): void {
    const from = id * WORDS_PER_HASH
    for (let word = 0; word < WORDS_PER_HASH; word++) into[at + word] = this.hashes[from + word]!
  }

  /** Gives one block the name of another. */
  copyHash(from: number, to: number): void {
    this.readHash(from, this.hashes, to * WORDS_PER_HASH)
  }

  /** Whether `parent` is what `child` names as its parent. Positions must fit too, so that no chain can be a circle. */
  isParent(parent: number, child: number): boolean {
    const { positions } = this
    return positions[parent] === positions[child]! - 1 && this.#parentHashFits(parent, child)
  }

  #parentHashFits(parent: number, child: number): boolean {
    const { hashes, parents } = this
    const a = parent * WORDS_PER_HASH
    const b = child * WORDS_PER_HASH
    return (
      hashes[a] === parents[b] &&
      hashes[a + 1] === parents[b + 1] &&
      hashes[a + 2] === parents[b + 2] &&
      hashes[a + 3] === parents[b + 3]
    )
  }
}
