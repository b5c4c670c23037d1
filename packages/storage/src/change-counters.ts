import type { Binding } from '@kvbm/native'
import { COUNTERS_OFFSET, SLOTS_PER_TABLE_SEGMENT } from './superblock.js'

const COUNTER_BYTES = 8

/**
 * One number per 4,096 records, raised after records of that segment were written: a reader beside the writer looks
 * again only where a number differs from the one it saw. They are hints, never proof, so they carry no checksum.
 * One write is under way at a time, so that an older number never overwrites a newer one; commits that come meanwhile
 * share the next write.
 */
export class ChangeCounters {
  readonly #binding: Binding
  readonly #file: number
  readonly #view: DataView
  #dirtyBegin = Number.POSITIVE_INFINITY
  #dirtyEnd = 0
  #last: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  private constructor(binding: Binding, file: number, numSlots: number) {
    this.#binding = binding
    this.#file = file
    this.#view = new DataView(new ArrayBuffer(segmentCount(numSlots) * COUNTER_BYTES))
  }

  /** Continues from the numbers in the file: they never go back to one that a reader may have seen. */
  static async read(binding: Binding, file: number, numSlots: number): Promise<ChangeCounters> {
    const counters = new ChangeCounters(binding, file, numSlots)
    const view = counters.#view
    const found = await binding.readFile(file, COUNTERS_OFFSET, view.byteLength)
    new Uint8Array(view.buffer).set(found)
    return counters
  }

  /** Raises the counters of the segments of these slots, once each; resolves when they are written. */
  bump(slots: Uint32Array): Promise<void> {
    let last = -1
    for (const segment of slots.map(segmentOf).sort()) {
      if (segment !== last) this.#raise(segment)
      last = segment
    }
    return this.#flush()
  }

  #raise(segment: number): void {
    const at = segment * COUNTER_BYTES
    this.#view.setBigUint64(at, this.#view.getBigUint64(at, true) + 1n, true)
    this.#markDirty(at, at + COUNTER_BYTES)
  }

  #markDirty(begin: number, end: number): void {
    this.#dirtyBegin = Math.min(this.#dirtyBegin, begin)
    this.#dirtyEnd = Math.max(this.#dirtyEnd, end)
  }

  #flush(): Promise<void> {
    this.#next ??= this.#last
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined
        return this.#write()
      })
    this.#last = this.#next
    return this.#next
  }

  async #write(): Promise<void> {
    const begin = this.#dirtyBegin
    const end = this.#dirtyEnd
    this.#dirtyBegin = Number.POSITIVE_INFINITY
    this.#dirtyEnd = 0
    try {
      const bytes = new Uint8Array(this.#view.buffer.slice(begin, end))
      await this.#binding.writeFile(this.#file, COUNTERS_OFFSET + begin, bytes)
    } catch (error) {
      this.#markDirty(begin, end)
      throw error
    }
  }
}

function segmentOf(slot: number): number {
  return Math.floor(slot / SLOTS_PER_TABLE_SEGMENT)
}

function segmentCount(numSlots: number): number {
  return Math.ceil(numSlots / SLOTS_PER_TABLE_SEGMENT)
}
