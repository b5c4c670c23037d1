type HashWasm = typeof import('hash-wasm')
type WasmHasher = Awaited<ReturnType<HashWasm['createXXHash3']>>

// Bytes of the saved state before its 64-bit words: a mark of the library's build.
const PREFIX_BYTES = 4

/**
 * XXH3-64 with any seed, synchronously. hash-wasm fixes the seed when an instance is made, and making one is
 * asynchronous; a tenant's salt must not need that. But the state before the first byte is affine in the seed: every
 * 64-bit word is a constant plus 0, 1 or −1 times the seed. So two saved states give the state of every seed, and
 * `create` compares what comes out with instances made for a seed.
 */
export class SeededXxh3 {
  readonly #hasher: WasmHasher
  readonly #prefix: Uint8Array
  /** Words of the state for seed 0, and what one more in the seed adds to each. */
  readonly #base: BigUint64Array
  readonly #slope: BigUint64Array

  private constructor(hasher: WasmHasher, one: Uint8Array, two: Uint8Array) {
    const [atOne, atTwo] = [stateWords(one), stateWords(two)]
    this.#hasher = hasher
    this.#prefix = one.slice(0, PREFIX_BYTES)
    this.#slope = atTwo.map((word, index) => word - atOne[index]!)
    this.#base = atOne.map((word, index) => word - this.#slope[index]!)
  }

  static async create(): Promise<SeededXxh3> {
    const wasm: HashWasm = await import('hash-wasm')
    const hasher = await wasm.createXXHash3(1, 0)
    const two = await wasm.createXXHash3(2, 0)
    const seeded = new SeededXxh3(hasher, hasher.init().save(), two.init().save())
    for (const seed of [0n, 0x9e3779b97f4a7c15n]) await verify(seeded, wasm, seed)
    return seeded
  }

  /** What `hash` needs to begin with a seed. */
  state(seed: bigint): Uint8Array {
    const bytes = new Uint8Array(PREFIX_BYTES + this.#base.byteLength)
    bytes.set(this.#prefix)
    const words = this.#base.map((word, index) => word + this.#slope[index]! * seed)
    bytes.set(new Uint8Array(words.buffer), PREFIX_BYTES)
    return bytes
  }

  /** Writes the 64-bit hash as two words, low first. */
  hash({ state, bytes, into, at }: HashRequest): void {
    const digest = this.#hasher.load(state).update(bytes).digest('binary')
    into[at] = wordAt(digest, 4)
    into[at + 1] = wordAt(digest, 0)
  }
}

export interface HashRequest {
  readonly state: Uint8Array
  readonly bytes: Uint8Array
  readonly into: Uint32Array
  readonly at: number
}

function stateWords(state: Uint8Array): BigUint64Array {
  return new BigUint64Array(state.slice(PREFIX_BYTES).buffer)
}

/** Digests are big-endian. */
function wordAt(digest: Uint8Array, at: number): number {
  return ((digest[at]! << 24) | (digest[at + 1]! << 16) | (digest[at + 2]! << 8) | digest[at + 3]!) >>> 0
}

// Lengths of each of the algorithm's paths.
const VERIFIED_LENGTHS = [0, 3, 8, 16, 100, 200, 700]

async function verify(seeded: SeededXxh3, wasm: HashWasm, seed: bigint): Promise<void> {
  const fixed = await wasm.createXXHash3(Number(seed & 0xffffffffn), Number(seed >> 32n))
  const [state, actual] = [seeded.state(seed), new Uint32Array(2)]
  for (const length of VERIFIED_LENGTHS) {
    const bytes = Uint8Array.from({ length }, (_, index) => index * 31 + 7)
    seeded.hash({ state, bytes, into: actual, at: 0 })
    const digest = fixed.init().update(bytes).digest('binary')
    if (actual[0] !== wordAt(digest, 4) || actual[1] !== wordAt(digest, 0)) {
      throw new Error(
        `hash-wasm gave unexpected XXH3 values for ${length} bytes. Install the version that @kvbm/tokens names.`,
      )
    }
  }
}
