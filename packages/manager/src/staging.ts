import type { MutableBlocks } from '@kvbm/pool'
import type { Mover } from './mover.js'
import type { TierStore } from './tier.js'
import type { WaitOptions } from './within.js'

/** Bounded memory for blocks on their way. Callers wait for it in turn; it holds no names, so nothing in it can be found. */
export class Staging {
  readonly store: TierStore
  readonly #mover: Mover

  constructor(store: TierStore, mover: Mover) {
    this.store = store
    this.#mover = mover
  }

  /** Blocks of the whole area: the most that one `use` can have. */
  get blocksMax(): number {
    return this.store.pool.total
  }

  /**
   * Lends `count` blocks to `use`. After a failure some copy that was given up on may still write to them: they are lent again
   * only when every copy that ran at that moment has ended.
   */
  async use<T>(count: number, wait: WaitOptions, use: (staged: MutableBlocks) => Promise<T>): Promise<T> {
    const staged = await this.store.acquire(count, wait)
    try {
      const result = await use(staged)
      staged.release()
      return result
    } catch (error) {
      void this.#mover.settled().then(() => staged.release())
      throw error
    }
  }
}
