import type { Manager } from '@kvbm/manager'
import type { Clock } from './clock.js'
import type { ModelStatus, ModelStore } from './model-store.js'
import { Mutex } from './mutex.js'

export interface ModelStoresOptions {
  /** Managers open at once. */
  readonly modelsMax: number
  readonly clock: Clock
}

/** All fingerprints of a process. Invariant: at most `modelsMax` have a manager; opening and closing happen one at a time. */
export class ModelStores {
  readonly #options: ModelStoresOptions
  readonly #stores = new Map<string, ModelStore>()
  readonly #mutex = new Mutex()
  #closed = false

  constructor(options: ModelStoresOptions) {
    this.#options = options
  }

  /** The store of a fingerprint; `make` is called for a new one. */
  get(fingerprint: string, make: () => ModelStore): ModelStore {
    const known = this.#stores.get(fingerprint)
    if (known !== undefined) return known
    const store = make()
    this.#stores.set(fingerprint, store)
    return store
  }

  /** Its manager, opened if need be and possible; undefined when it must run without. Never rejects. */
  async ensure(store: ModelStore): Promise<Manager | undefined> {
    store.usedAt = this.#options.clock.now()
    if (store.manager !== undefined) return store.manager
    const letGo = store.retain()
    try {
      return await this.#mutex.run(() => this.#open(store))
    } finally {
      letGo()
    }
  }

  status(): ModelStatus[] {
    return [...this.#stores.values()].map((store) => store.status())
  }

  /** Closes every manager and opens no more. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#mutex.run(async () => {
      for (const store of this.#stores.values()) await store.close()
    })
  }

  async #open(store: ModelStore): Promise<Manager | undefined> {
    if (this.#closed || store.manager !== undefined || !store.mayOpen) return store.manager
    const open = [...this.#stores.values()].filter(({ manager }) => manager !== undefined)
    if (open.length >= this.#options.modelsMax) {
      const victim = leastRecentlyUsed(open.filter(({ idle }) => idle))
      if (victim === undefined) return void store.refuse(allBusy(open.length))
      await victim.close()
    }
    return store.open()
  }
}

function leastRecentlyUsed(stores: readonly ModelStore[]): ModelStore | undefined {
  return stores.reduce<ModelStore | undefined>(
    (oldest, store) => (oldest === undefined || store.usedAt < oldest.usedAt ? store : oldest),
    undefined,
  )
}

function allBusy(count: number): string {
  return `${count} of ${count} models are in use. Raise modelsMax, or close contexts of other models`
}
