import { ClosedError, invalidArgument, nonNegativeInteger, type Storage, type StorageDescription } from '@kvbm/core'

/** What an `ArrayStorage` is, and what it pretends to be. */
export interface ArrayStorageOptions {
  readonly sizeBytes: number
  /** Unique among the storages of one test. */
  readonly regionId: number
  /** Where the memory pretends to begin; decides what `alignmentOffset` answers. Default 0. */
  readonly address?: number
  /** `bytes()` shows no run across a multiple of this, as windows of large memory do. Default: no such limit. */
  readonly windowBytes?: number
}

/** **For tests**: a storage over a plain array that knows whether it was committed, and can pretend addresses and windows. */
export class ArrayStorage implements Storage {
  readonly kind = 'system'
  readonly sizeBytes: number
  readonly regionId: number
  readonly #address: number
  readonly #windowBytes: number
  #memory: Uint8Array | undefined
  #committed = false

  constructor(options: ArrayStorageOptions) {
    this.sizeBytes = options.sizeBytes
    this.regionId = options.regionId
    this.#address = options.address ?? 0
    this.#windowBytes = options.windowBytes ?? Number.POSITIVE_INFINITY
    this.#memory = new Uint8Array(options.sizeBytes)
  }

  get committed(): boolean {
    return this.#committed
  }

  alignmentOffset(alignment: number): number {
    return Math.ceil(this.#address / alignment) * alignment - this.#address
  }

  commit(): void {
    this.#open()
    this.#committed = true
  }

  bytes(offset: number, length: number): Uint8Array | undefined {
    const bytes = this.range(offset, length)
    const windowOf = (at: number): number => Math.floor(at / this.#windowBytes)
    return length > 0 && windowOf(offset) !== windowOf(offset + length - 1) ? undefined : bytes
  }

  /** Like `bytes`, across windows. Throws `RangeError` outside of the storage. */
  range(offset: number, length: number): Uint8Array {
    const memory = this.#open()
    nonNegativeInteger('offset', offset)
    nonNegativeInteger('length', length)
    if (offset + length > this.sizeBytes)
      throw invalidArgument('offset + length', `at most ${this.sizeBytes}`, offset + length)
    return memory.subarray(offset, offset + length)
  }

  describe(): StorageDescription {
    return { kind: this.kind, sizeBytes: this.sizeBytes, facts: { committed: this.#committed }, notes: [] }
  }

  async close(): Promise<void> {
    this.#memory = undefined
  }

  #open(): Uint8Array {
    if (this.#memory === undefined) throw new ClosedError(`array storage ${this.regionId}`)
    return this.#memory
  }
}
