/** Weight of the newest sample: the last handful counts, an outlier fades. */
const WEIGHT = 0.3

/**
 * Exponentially weighted average of milliseconds per token, kept apart by the power of two of the size: small batches cost more for each
 * token than large ones, so one average over all sizes would mislead.
 */
export class RateBySize {
  readonly #rates = new Map<number, number>()

  /** `tokens` took `ms`. */
  learn(tokens: number, ms: number): void {
    if (!(tokens > 0) || !(ms >= 0)) return
    const size = sizeOf(tokens)
    const before = this.#rates.get(size)
    const rate = ms / tokens
    this.#rates.set(size, before === undefined ? rate : before + WEIGHT * (rate - before))
  }

  /** Milliseconds that `tokens` would take, by the nearest size known; undefined before the first sample. */
  estimate(tokens: number): number | undefined {
    const rate = this.#nearest(sizeOf(Math.max(1, tokens)))
    return rate === undefined ? undefined : rate * tokens
  }

  #nearest(size: number): number | undefined {
    let best: { readonly distance: number; readonly rate: number } | undefined
    for (const [known, rate] of this.#rates) {
      const distance = Math.abs(known - size)
      if (best === undefined || distance < best.distance) best = { distance, rate }
    }
    return best?.rate
  }
}

function sizeOf(tokens: number): number {
  return Math.floor(Math.log2(tokens))
}
