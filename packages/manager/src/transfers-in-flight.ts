import { type BlockHashes, WORDS_PER_HASH } from '@kvbm/core'

const FIRST_OF_PAIR = 0xffff

/** The hash as eight UTF-16 units: the cheapest string that two equal hashes share. */
function keyOf(hashes: BlockHashes, index: number): string {
  const w = hashes.words
  const at = index * WORDS_PER_HASH
  const [a, b, c, d] = [w[at]!, w[at + 1]!, w[at + 2]!, w[at + 3]!]
  return String.fromCharCode(
    a & FIRST_OF_PAIR,
    a >>> 16,
    b & FIRST_OF_PAIR,
    b >>> 16,
    c & FIRST_OF_PAIR,
    c >>> 16,
    d & FIRST_OF_PAIR,
    d >>> 16,
  )
}

/** Which hashes are on their way into one tier. Invariant: at most one transfer per hash; others wait for it to end. */
export class TransfersInFlight {
  readonly #byHash = new Map<string, Promise<void>>()

  /** The transfer that brings this hash, if there is one. It resolves when the transfer ended, well or not. */
  of(hashes: BlockHashes, index: number): Promise<void> | undefined {
    return this.#byHash.size === 0 ? undefined : this.#byHash.get(keyOf(hashes, index))
  }

  /** How many blocks from the start of `hashes` nobody brings yet. */
  countIdle(hashes: BlockHashes): number {
    let count = 0
    while (count < hashes.count && this.of(hashes, count) === undefined) count++
    return count
  }

  /** Claims these hashes until the returned function is called. None may be claimed already. */
  claim(hashes: BlockHashes): () => void {
    let end = (): void => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    const keys = Array.from({ length: hashes.count }, (_, index) => keyOf(hashes, index))
    for (const key of keys) this.#byHash.set(key, ended)
    return () => {
      for (const key of keys) this.#byHash.delete(key)
      end()
    }
  }

  /** Resolves when nothing is in flight. */
  async idle(): Promise<void> {
    while (this.#byHash.size > 0) await Promise.all(this.#byHash.values())
  }
}
