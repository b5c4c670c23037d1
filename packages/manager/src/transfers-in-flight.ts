import type { BlockHashes } from '@kvbm/core'
import { hashKey } from './hash-key.js'

/** Which hashes are on their way into one tier. Invariant: at most one transfer per hash; others wait for it to end. */
export class TransfersInFlight {
  readonly #byHash = new Map<string, Promise<void>>()

  /** The transfer that brings this hash, if there is one. It resolves when the transfer ended, well or not. */
  of(hashes: BlockHashes, index: number): Promise<void> | undefined {
    return this.#byHash.size === 0 ? undefined : this.#byHash.get(hashKey(hashes.words, index))
  }

  /** Claims these hashes until disposed of. None should be claimed already; one that is stays with the later claim. */
  claim(hashes: BlockHashes): Disposable {
    let end = (): void => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    const keys = Array.from({ length: hashes.count }, (_, index) => hashKey(hashes.words, index))
    for (const key of keys) this.#byHash.set(key, ended)
    return {
      [Symbol.dispose]: () => {
        for (const key of keys) if (this.#byHash.get(key) === ended) this.#byHash.delete(key)
        end()
      },
    }
  }
}
