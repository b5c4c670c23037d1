/** What a save takes for each MB before any was measured: twice what a CPU engine took for the first prototypes. */
const ASSUMED_MS_PER_MB = 1
const WEIGHT = 0.3
const MB = 1e6
/** Saves below this tell about their fixed cost, not about bytes. */
const SAMPLE_BYTES_MIN = 64 * 1024

/** How long an engine cannot decode while it saves so many bytes: learned milliseconds per MB. */
export class StallEstimate {
  #msPerMb: number | undefined

  /** Undefined before the first measured save. */
  get msPerMb(): number | undefined {
    return this.#msPerMb
  }

  learn(bytes: number, ms: number): void {
    if (bytes < SAMPLE_BYTES_MIN || !(ms >= 0)) return
    const sample = (ms * MB) / bytes
    this.#msPerMb = this.#msPerMb === undefined ? sample : this.#msPerMb + WEIGHT * (sample - this.#msPerMb)
  }

  expectedMs(bytes: number): number {
    return (bytes / MB) * (this.#msPerMb ?? ASSUMED_MS_PER_MB)
  }
}
