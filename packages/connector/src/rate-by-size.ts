/** Least weight of the newest sample: the last handful counts, an outlier fades. Of the first few each counts alike. */
const WEIGHT_MIN = 0.3

interface Rate {
  /** Milliseconds per token. */
  readonly value: number
  readonly samples: number
}

/**
 * Exponentially weighted average of milliseconds per token, kept apart by the power of two of the size: small batches cost more for each
 * token than large ones, so one average over all sizes would mislead.
 */
export class RateBySize {
  readonly #rates = new Map<number, Rate>()

  /** `tokens` took `ms`. */
  learn(tokens: number, ms: number): void {
    if (!(tokens > 0) || !(ms >= 0)) return
    const size = sizeOf(tokens)
    const { value, samples } = this.#rates.get(size) ?? { value: 0, samples: 0 }
    const weight = Math.max(WEIGHT_MIN, 1 / (samples + 1))
    this.#rates.set(size, { value: value + weight * (ms / tokens - value), samples: samples + 1 })
  }

  /** Milliseconds that `tokens` would take, by the nearest size known; undefined before the first sample. */
  estimate(tokens: number): number | undefined {
    const rate = this.#nearest(sizeOf(Math.max(1, tokens)))
    return rate === undefined ? undefined : rate * tokens
  }

  #nearest(size: number): number | undefined {
    let best: { readonly distance: number; readonly rate: number } | undefined
    for (const [known, { value: rate }] of this.#rates) {
      const distance = Math.abs(known - size)
      if (best === undefined || distance < best.distance) best = { distance, rate }
    }
    return best?.rate
  }
}

function sizeOf(tokens: number): number {
  return Math.floor(Math.log2(tokens))
}
