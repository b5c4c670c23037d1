import type { LlamaContextSequence } from 'node-llama-cpp'

/** Tokens from `start` to before `end`, in whichever order they are given. */
type Range = Parameters<LlamaContextSequence['eraseContextTokenRanges']>[0][number]

/**
 * How many tokens of a sequence, from the first on, have the KV that evaluating just them in just these places gives. A context shift
 * moves tokens that were computed after others than stand before them now; what follows cannot be named by its prefix. The engine has no
 * event for it: it shows in a length that nobody expected.
 */
export class SoundPrefix {
  readonly #sequence: LlamaContextSequence
  #length = 0
  #cuts = 0

  /** What the sequence holds already is of unknown origin. */
  constructor(sequence: LlamaContextSequence) {
    this.#sequence = sequence
  }

  get length(): number {
    return this.#length
  }

  /** Grows whenever something was cut: whoever saves the sequence sees by it that it moved meanwhile. */
  get cuts(): number {
    return this.#cuts
  }

  /** Whether all that the sequence holds is as if it had been evaluated. */
  get isWhole(): boolean {
    return this.#sequence.nextTokenIndex <= this.#length
  }

  /** The sequence was filled anew, from its first token on, with sound bytes. */
  restored(): void {
    this.#length = this.#sequence.nextTokenIndex
  }

  /** Tokens `from` to before `to` were evaluated after what stood before them. */
  evaluated({ from, to }: { readonly from: number; readonly to: number }): void {
    if (from <= this.#length) this.#length = to
  }

  /** Nothing from `length` on is sound any more. */
  cut(length: number): void {
    this.#length = Math.min(this.#length, length)
    this.#cuts++
  }

  /** These ranges are going to be erased: what stands behind the first one moves, or goes. */
  cutBefore(ranges: readonly Range[]): void {
    for (const { start, end } of ranges) if (start !== end) this.cut(Math.min(start, end))
  }
}
