const CAPACITY_MIN = 64

/** 32-bit words that grow at the end: one typed array, doubled when full. `view` is valid until the next change. */
export class GrowableWords {
  #words: Uint32Array
  #length = 0

  constructor(initial: Uint32Array = new Uint32Array(0)) {
    this.#words = new Uint32Array(Math.max(initial.length, CAPACITY_MIN))
    this.append(initial)
  }

  get length(): number {
    return this.#length
  }

  /** The words from `from` to before `to`, sharing memory. */
  view(from = 0, to: number = this.#length): Uint32Array {
    return this.#words.subarray(from, to)
  }

  at(index: number): number {
    return this.#words[index]!
  }

  push(word: number): void {
    this.#reserve(1)
    this.#words[this.#length++] = word
  }

  append(words: Uint32Array): void {
    this.#reserve(words.length)
    this.#words.set(words, this.#length)
    this.#length += words.length
  }

  /** Sets the length; words that come in are unspecified and meant to be overwritten. */
  resize(length: number): void {
    if (length > this.#length) this.#reserve(length - this.#length)
    this.#length = length
  }

  #reserve(extra: number): void {
    const needed = this.#length + extra
    if (needed <= this.#words.length) return
    const grown = new Uint32Array(Math.max(needed, this.#words.length * 2))
    grown.set(this.#words.subarray(0, this.#length))
    this.#words = grown
  }
}
