/** A name in a tree of names: the root is 0, `n` has the parent `parentOf(n)`. */
export type Name = number

export interface NaiveHandle {
  kind: 'mutable' | 'complete' | 'immutable'
  ids: number[]
  names: Name[]
}

/** What a pool must do, said as plainly as possible: everything is searched for, nothing is kept up to date. */
export class NaivePool {
  readonly handles = new Set<NaiveHandle>()
  /** Registered blocks, and the duplicates that are held beside them with the block they keep. */
  readonly names = new Map<number, Name>()
  readonly twins = new Map<number, number | undefined>()
  inactive: number[] = []
  readonly free: Set<number>
  /** Held blocks that were taken out of use, and those that may not be handed out again. */
  readonly discarded = new Set<number>()
  readonly condemned = new Set<number>()
  readonly quarantined = new Set<number>()
  readonly waiting: number[] = []
  readonly #parentOf: (name: Name) => Name

  constructor(count: number, parentOf: (name: Name) => Name) {
    this.free = new Set(Array.from({ length: count }, (_, id) => id))
    this.#parentOf = parentOf
  }

  idOf(name: Name): number | undefined {
    return [...this.names].find(([, other]) => other === name)?.[0]
  }

  /** What a held block holds: its parent, or the primary it duplicates. */
  keeps(id: number): number | undefined {
    return this.names.has(id) ? this.idOf(this.#parentOf(this.names.get(id)!)) : this.twins.get(id)
  }

  isHeld(id: number): boolean {
    if ([...this.handles].some((handle) => handle.ids.includes(id))) return true
    return [...this.names.keys(), ...this.twins.keys()].some((other) => this.keeps(other) === id && this.isHeld(other))
  }

  take(ids: readonly number[]): void {
    for (const id of ids) {
      this.free.delete(id)
      this.names.delete(id)
    }
    this.inactive = this.inactive.filter((id) => !ids.includes(id))
  }

  open(handle: NaiveHandle): NaiveHandle {
    this.handles.add(handle)
    this.inactive = this.inactive.filter((id) => !this.isHeld(id))
    return handle
  }

  register(handle: NaiveHandle, policy: 'allow' | 'reject'): number[] {
    handle.names.forEach((name, index) => {
      const id = handle.ids[index]!
      const known = this.idOf(name)
      if (known === undefined) this.names.set(id, name)
      else if (policy === 'allow') this.twins.set(id, known)
      else {
        handle.ids[index] = known
        this.settle(id)
      }
      this.inactive = this.inactive.filter((other) => !this.isHeld(other))
    })
    handle.kind = 'immutable'
    return handle.ids
  }

  /** Holders go one by one from the tail; what nobody holds then comes to rest, and what it kept after it. */
  release(handle: NaiveHandle): void {
    while (handle.ids.length > 0) this.settle(handle.ids.pop()!)
    this.handles.delete(handle)
  }

  settle(id: number | undefined): void {
    if (id === undefined || this.isHeld(id) || this.inactive.includes(id)) return
    const kept = this.keeps(id)
    if (this.names.has(id)) this.inactive.push(id)
    else this.#retire(id)
    this.settle(kept)
  }

  discard(ids: readonly number[], quarantine: boolean): void {
    for (const id of ids) {
      if (this.quarantined.has(id)) continue
      if (quarantine) this.condemned.add(id)
      const kept = this.keeps(id)
      this.names.delete(id)
      for (const [twin, primary] of this.twins) if (primary === id || twin === id) this.twins.set(twin, undefined)
      this.inactive = this.inactive.filter((other) => other !== id)
      if (this.isHeld(id)) this.discarded.add(id)
      else this.#retire(id)
      this.settle(kept)
    }
  }

  #retire(id: number): void {
    this.twins.delete(id)
    this.discarded.delete(id)
    this.free.delete(id)
    const to = this.condemned.has(id) ? this.quarantined : this.free
    to.add(id)
  }
}
