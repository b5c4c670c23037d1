import type { BlockList } from './block-list.js'

/**
 * Blocks without name and holder: a list of those that came back, and behind it those that were never taken, from `#fresh` to the
 * last. Of the latter nothing is written anywhere, so that a pool touches no memory for blocks before it uses them.
 */
export class FreeList {
  readonly #returned: BlockList
  readonly #count: number
  #fresh = 0

  /** All of `count` blocks. `returned` is an empty list to use. */
  constructor(count: number, returned: BlockList) {
    this.#count = count
    this.#returned = returned
  }

  get size(): number {
    return this.#returned.size + this.#count - this.#fresh
  }

  /** Puts in front of the first. */
  unshift(id: number): void {
    this.#returned.unshift(id)
  }

  /** Takes the first. The list must not be empty. */
  shift(): number {
    return this.#returned.size > 0 ? this.#returned.shift() : this.#fresh++
  }

  remove(id: number): void {
    if (id >= this.#fresh) this.#enlist(id + 1, () => true)
    this.#returned.remove(id)
  }

  /** Removes all that are not to be kept. Those that stay keep their order. */
  retain(isKept: (id: number) => boolean): void {
    this.#returned.retain(isKept)
    let end = this.#count
    while (end > this.#fresh && isKept(end - 1)) end--
    this.#enlist(end, isKept)
  }

  /** From first to last. Nothing may be inserted or removed meanwhile. */
  *[Symbol.iterator](): Generator<number> {
    yield* this.#returned
    for (let id = this.#fresh; id < this.#count; id++) yield id
  }

  /** Of blocks never taken, those before `end` come into the list, or go. */
  #enlist(end: number, isKept: (id: number) => boolean): void {
    for (; this.#fresh < end; this.#fresh++) if (isKept(this.#fresh)) this.#returned.push(this.#fresh)
  }
}
