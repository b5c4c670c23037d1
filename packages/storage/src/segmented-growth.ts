import type { Binding } from '@kvbm/native'
import { type GrowthKind, weakerGrowth } from './growth-kind.js'

export interface SegmentedGrowthOptions {
  readonly binding: Binding
  readonly region: number
  readonly sizeBytes: number
  readonly segmentBytes: number
  /** Runs `grow` when there is room for `bytes` more. Default: at once. */
  readonly withRoom?: WithRoom | undefined
}

export type WithRoom = <T>(bytes: number, grow: () => Promise<T>) => Promise<T>

const atOnce: WithRoom = (_bytes, grow) => grow()

/**
 * Reserves a file's space segment by segment where it is first used. One reservation of a segment at a time: whoever
 * comes meanwhile waits for the same one. A failed one is forgotten, so the next user tries again.
 */
export class SegmentedGrowth {
  readonly segmentBytes: number
  readonly #options: SegmentedGrowthOptions
  readonly #segments = new Map<number, Promise<void> | true>()
  #kind: GrowthKind | undefined
  #reservedBytes = 0

  constructor(options: SegmentedGrowthOptions) {
    this.#options = options
    this.segmentBytes = options.segmentBytes
  }

  /** The weakest way any segment was given so far; undefined before the first. */
  get kind(): GrowthKind | undefined {
    return this.#kind
  }

  get reservedBytes(): number {
    return this.#reservedBytes
  }

  /** Remembers that a segment holds data already: it must not be touched again. */
  markUsed(segment: number): void {
    if (this.#segments.get(segment) === true) return
    this.#segments.set(segment, true)
    this.#reservedBytes += this.#length(segment)
  }

  /** Reserves these segments; `StorageFullError` when there is no room. */
  async ensure(segments: Iterable<number>): Promise<void> {
    const waits = new Set<Promise<void>>()
    const fresh: number[] = []
    for (const segment of segments) {
      const state = this.#segments.get(segment)
      if (state === undefined) fresh.push(segment)
      else if (state !== true) waits.add(state)
    }
    if (fresh.length > 0) waits.add(this.#begin(fresh))
    if (waits.size > 0) await Promise.all(waits)
  }

  /** Reserves the first segment that has no space yet, if there is one: what the next new block needs anyway. */
  async ensureNext(): Promise<void> {
    const { sizeBytes, segmentBytes } = this.#options
    for (let segment = 0; segment * segmentBytes < sizeBytes; segment++)
      if (this.#segments.get(segment) !== true) return this.ensure([segment])
  }

  #begin(segments: readonly number[]): Promise<void> {
    const reservation = this.#reserveAll(segments)
    for (const segment of segments) this.#segments.set(segment, reservation)
    return reservation
  }

  /** Room is asked for once. All have ended when this does: none may be begun again before. */
  async #reserveAll(segments: readonly number[]): Promise<void> {
    const { withRoom = atOnce } = this.#options
    const bytes = segments.reduce((sum, segment) => sum + this.#length(segment), 0)
    // A turn later, so that whoever began has noted the reservation.
    await Promise.resolve()
    try {
      const ended = await withRoom(bytes, () => Promise.allSettled(segments.map((segment) => this.#reserve(segment))))
      for (const one of ended) if (one.status === 'rejected') throw one.reason
    } finally {
      for (const segment of segments) if (this.#segments.get(segment) !== true) this.#segments.delete(segment)
    }
  }

  async #reserve(segment: number): Promise<void> {
    const { binding, region, segmentBytes } = this.#options
    const kind = await binding.reserveFile(region, segment * segmentBytes, this.#length(segment))
    this.#kind = weakerGrowth(this.#kind, kind)
    this.markUsed(segment)
  }

  #length(segment: number): number {
    const { sizeBytes, segmentBytes } = this.#options
    return Math.min(segmentBytes, sizeBytes - segment * segmentBytes)
  }
}
