import type { Binding } from '@kvbm/native'
import { type GrowthKind, weakerGrowth } from './growth-kind.js'

export interface SegmentedGrowthOptions {
  readonly binding: Binding
  readonly region: number
  readonly sizeBytes: number
  readonly segmentBytes: number
}

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

  /** Reserves these segments; `StorageFullError` when the disk has no room. */
  async ensure(segments: Iterable<number>): Promise<void> {
    const waits: Promise<void>[] = []
    for (const segment of segments) {
      const state = this.#segments.get(segment) ?? this.#begin(segment)
      if (state !== true) waits.push(state)
    }
    if (waits.length > 0) await Promise.all(waits)
  }

  /** Reserves the first segment that has no space yet, if there is one: what the next new block needs anyway. */
  async ensureNext(): Promise<void> {
    const { sizeBytes, segmentBytes } = this.#options
    for (let segment = 0; segment * segmentBytes < sizeBytes; segment++)
      if (this.#segments.get(segment) !== true) return this.ensure([segment])
  }

  #begin(segment: number): Promise<void> {
    const reservation = this.#reserve(segment)
    this.#segments.set(segment, reservation)
    return reservation
  }

  async #reserve(segment: number): Promise<void> {
    const { binding, region, segmentBytes } = this.#options
    try {
      const kind = await binding.reserveFile(region, segment * segmentBytes, this.#length(segment))
      this.#kind = weakerGrowth(this.#kind, kind)
      this.markUsed(segment)
    } catch (error) {
      this.#segments.delete(segment)
      throw error
    }
  }

  #length(segment: number): number {
    const { sizeBytes, segmentBytes } = this.#options
    return Math.min(segmentBytes, sizeBytes - segment * segmentBytes)
  }
}
