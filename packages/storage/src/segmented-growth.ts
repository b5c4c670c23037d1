import type { Binding } from '@kvbm/native'
import { type FileRange, type FileSpace, missingBytes } from './file-space.js'
import { type GrowthKind, weakerGrowth } from './growth-kind.js'

export interface SegmentedGrowthOptions {
  readonly binding: Binding
  readonly region: number
  readonly sizeBytes: number
  readonly segmentBytes: number
  /** What of the file is there already. */
  readonly space: () => Promise<FileSpace>
  /** Runs `grow` when there is room for `bytes` more. Default: at once. */
  readonly withRoom?: WithRoom | undefined
}

export type WithRoom = <T>(bytes: number, grow: () => Promise<T>) => Promise<T>

const atOnce: WithRoom = (_bytes, grow) => grow()

/**
 * Reserves a file's space segment by segment where it is first used, also where an earlier process did so: that keeps what lies
 * there, and nothing else tells which slots have space. What is provably there is not asked for again. One reservation of a segment at a time: whoever
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

  /** Of the segments that this process used so far. */
  get reservedBytes(): number {
    return this.#reservedBytes
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

  #begin(segments: readonly number[]): Promise<void> {
    const reservation = this.#reserveAll(segments)
    for (const segment of segments) this.#segments.set(segment, reservation)
    return reservation
  }

  /** Room is asked for once. All have ended when this does: none may be begun again before. */
  async #reserveAll(segments: readonly number[]): Promise<void> {
    // A turn later, so that whoever began has noted the reservation.
    await Promise.resolve()
    try {
      await this.#reserveMissing(segments)
    } finally {
      for (const segment of segments) if (this.#segments.get(segment) !== true) this.#segments.delete(segment)
    }
  }

  async #reserveMissing(segments: readonly number[]): Promise<void> {
    const { withRoom = atOnce, space } = this.#options
    const there = await space()
    const missing = segments.filter((segment) => missingBytes([this.#range(segment)], there) > 0)
    for (const segment of segments) if (!missing.includes(segment)) this.#done(segment)
    if (missing.length === 0) return
    const bytes = missingBytes(
      missing.map((segment) => this.#range(segment)),
      there,
    )
    const ended = await withRoom(bytes, () => Promise.allSettled(missing.map((segment) => this.#reserve(segment))))
    for (const one of ended) if (one.status === 'rejected') throw one.reason
  }

  async #reserve(segment: number): Promise<void> {
    const { binding, region } = this.#options
    const { begin, end } = this.#range(segment)
    const kind = await binding.reserveFile(region, begin, end - begin)
    this.#kind = weakerGrowth(this.#kind, kind)
    this.#done(segment)
  }

  #done(segment: number): void {
    const { begin, end } = this.#range(segment)
    this.#segments.set(segment, true)
    this.#reservedBytes += end - begin
  }

  #range(segment: number): FileRange {
    const { sizeBytes, segmentBytes } = this.#options
    const begin = segment * segmentBytes
    return { begin, end: Math.min(begin + segmentBytes, sizeBytes) }
  }
}
