/** Links of all lists of a pool: a block stands in at most one list, so they share two arrays. */
export class Links {
  readonly next: Int32Array
  readonly previous: Int32Array

  /** `lists` sentinels stand behind the links of the blocks. */
  constructor(numBlocks: number, lists: number) {
    this.next = new Int32Array(numBlocks + lists)
    this.previous = new Int32Array(numBlocks + lists)
  }
}

/** Blocks in an order, as a ring through a sentinel, so that nothing is allocated and the ends are no special case. */
export class BlockList {
  readonly #next: Int32Array
  readonly #previous: Int32Array
  readonly #sentinel: number
  #size = 0

  constructor(links: Links, sentinel: number) {
    this.#next = links.next
    this.#previous = links.previous
    this.#sentinel = sentinel
    this.#next[sentinel] = sentinel
    this.#previous[sentinel] = sentinel
  }

  get size(): number {
    return this.#size
  }

  /** Appends at the end. */
  push(id: number): void {
    this.#insert(this.#previous[this.#sentinel]!, id)
  }

  /** Removes all that are not to be kept. Those that stay keep their order; links of the others are not touched. */
  retain(isKept: (id: number) => boolean): void {
    let last = this.#sentinel
    let size = 0
    for (let id = this.#next[last]!; id !== this.#sentinel; id = this.#next[id]!) {
      if (!isKept(id)) continue
      this.#next[last] = id
      this.#previous[id] = last
      last = id
      size++
    }
    this.#end(last, size)
  }

  /** Puts in front of the first. */
  unshift(id: number): void {
    this.#insert(this.#sentinel, id)
  }

  /** Takes the first. The list must not be empty. */
  shift(): number {
    const id = this.#next[this.#sentinel]!
    this.remove(id)
    return id
  }

  remove(id: number): void {
    const before = this.#previous[id]!
    const after = this.#next[id]!
    this.#next[before] = after
    this.#previous[after] = before
    this.#size--
  }

  /** From first to last. Nothing may be inserted or removed meanwhile. */
  *[Symbol.iterator](): Generator<number> {
    for (let id = this.#next[this.#sentinel]!; id !== this.#sentinel; id = this.#next[id]!) yield id
  }

  #end(last: number, size: number): void {
    this.#next[last] = this.#sentinel
    this.#previous[this.#sentinel] = last
    this.#size = size
  }

  #insert(before: number, id: number): void {
    const after = this.#next[before]!
    this.#next[before] = id
    this.#previous[id] = before
    this.#next[id] = after
    this.#previous[after] = id
    this.#size++
  }
}
