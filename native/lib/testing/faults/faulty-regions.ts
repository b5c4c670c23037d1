import { invalidArgument } from '@kvbm/core'

/** Which regions accesses use that have not reached the real binding yet: such a region closes when the last of them ended. */
export class FaultyRegions {
  readonly #users = new Map<number, number>()
  readonly #closing = new Set<number>()
  readonly #close: (region: number) => void

  constructor(close: (region: number) => void) {
    this.#close = close
  }

  /** Throws `RangeError` when the region was closed, even if it is still there for earlier accesses. */
  checkOpen(region: number): void {
    if (this.#closing.has(region)) throw invalidArgument('region', 'the number of an open region', region)
  }

  async using<T>(regions: ReadonlySet<number>, act: () => Promise<T>): Promise<T> {
    for (const region of regions) this.checkOpen(region)
    for (const region of regions) this.#users.set(region, (this.#users.get(region) ?? 0) + 1)
    try {
      return await act()
    } finally {
      for (const region of regions) this.#leave(region)
    }
  }

  close(region: number): void {
    if (this.#users.has(region)) this.#closing.add(region)
    else this.#close(region)
  }

  #leave(region: number): void {
    const others = this.#users.get(region)! - 1
    if (others > 0) this.#users.set(region, others)
    else this.#users.delete(region)
    if (others === 0 && this.#closing.delete(region)) this.#close(region)
  }
}
