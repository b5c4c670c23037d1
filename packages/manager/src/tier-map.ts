import type { TierName } from '@kvbm/core'
import type { ImmutableBlocks, MutableBlocks } from '@kvbm/pool'
import type { TierStore } from './tier-store.js'

type Store = TierStore<TierName>

/** The tiers by name, fastest first. One may be replaced; blocks that were found before stay its predecessor's. */
export class TierMap extends Map<TierName, Store> {
  readonly #former: Store[] = []

  /** From now on the name means `store`; blocks of the one before are still known. */
  replace(name: TierName, store: Store): void {
    const before = this.get(name)
    if (before !== undefined) this.#former.push(before)
    this.set(name, store)
  }

  /** The tier whose pool has these blocks, be it replaced meanwhile. Throws `TypeError` for blocks of somebody else. */
  storeOf(blocks: ImmutableBlocks | MutableBlocks): Store {
    for (const store of this.values()) if (store.pool === blocks?.pool) return store
    for (const store of this.#former) if (store.pool === blocks?.pool) return store
    throw new TypeError('These blocks do not belong to this manager.')
  }

  /** Every store that may still have blocks held, with its name. */
  *all(): Generator<Store> {
    yield* this.values()
    yield* this.#former
  }
}
