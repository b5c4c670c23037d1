import type { BlockList } from './block-list.js'

/**
 * Cached blocks that nobody holds, in the order in which they became so: first those of an earlier process, as the array in which they
 * were given, then a list of those that came since. A block leaves the array by a mark, so that of a million restored blocks nothing
 * is written before they are used. Invariant: every block of `#recent` has the mark, and none that still stands in `#restored`.
 */
export class InactiveList {
  readonly #count: number
  readonly #recent: BlockList
  #restored: Uint32Array = new Uint32Array(0)
  /** Where the first that has not left may stand. */
  #first = 0
  /** How many have not left. */
  #resting = 0
  #hasLeft: Uint8Array

  /** Empty, for blocks below `count`. `recent` is an empty list to use. */
  constructor(count: number, recent: BlockList) {
    this.#count = count
    this.#recent = recent
    this.#hasLeft = new Uint8Array(count)
  }

  get size(): number {
    return this.#resting + this.#recent.size
  }

  /** Makes an empty list one of these blocks, and takes the array over. */
  fill(ids: Uint32Array): void {
    this.#restored = ids
    this.#first = 0
    this.#resting = ids.length
    this.#hasLeft = new Uint8Array(this.#count)
  }

  /** Appends at the end. */
  push(id: number): void {
    this.#hasLeft[id] = 1
    this.#recent.push(id)
  }

  /** Takes the first. The list must not be empty. */
  shift(): number {
    if (this.#resting === 0) return this.#recent.shift()
    while (this.#hasLeft[this.#restored[this.#first]!] === 1) this.#first++
    const id = this.#restored[this.#first]!
    this.#leave(id)
    return id
  }

  remove(id: number): void {
    if (this.#hasLeft[id] === 0) this.#leave(id)
    else this.#recent.remove(id)
  }

  /** From first to last. Nothing may be inserted or removed meanwhile. */
  *[Symbol.iterator](): Generator<number> {
    for (const id of this.#restored.subarray(this.#first)) if (this.#hasLeft[id] === 0) yield id
    yield* this.#recent
  }

  #leave(id: number): void {
    this.#hasLeft[id] = 1
    this.#resting--
  }
}
