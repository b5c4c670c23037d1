/** The rows of one sequence: `regions` areas of one row per token. */
export interface RowShape {
  /** layers × outer dimension. */
  readonly regions: number
  /** Bytes of one token in one region. */
  readonly rowBytes: number
  readonly capacityTokens: number
}

/** What the in-memory engine keeps one sequence in. */
export class MemorySlot {
  readonly shape: RowShape
  /** Region after region, in each one row per token of the capacity. */
  readonly bytes: Uint8Array
  #tokens: number[] = []

  constructor(shape: RowShape) {
    this.shape = shape
    this.bytes = new Uint8Array(shape.regions * shape.capacityTokens * shape.rowBytes)
  }

  /** Tokens it holds. */
  get tokens(): Uint32Array {
    return Uint32Array.from(this.#tokens)
  }

  get length(): number {
    return this.#tokens.length
  }

  /** Forgets the tokens from `length` on. */
  truncate(length: number): void {
    this.#tokens.length = Math.min(this.#tokens.length, length)
  }

  /** Says what the rows that were just written belong to. */
  append(tokens: Iterable<number>): void {
    this.#tokens.push(...tokens)
    if (this.#tokens.length > this.shape.capacityTokens)
      throw new RangeError(`${this.#tokens.length} tokens do not fit into a slot of ${this.shape.capacityTokens}.`)
  }

  /** The bytes of token `index` in `region`. */
  row(region: number, index: number): Uint8Array {
    const { capacityTokens, rowBytes } = this.shape
    const at = (region * capacityTokens + index) * rowBytes
    return this.bytes.subarray(at, at + rowBytes)
  }
}
