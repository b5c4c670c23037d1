/** Milliseconds per stage of a request; percentiles at the end. */
export class Stages {
  readonly #samples = new Map<string, number[]>()

  timed<T>(stage: string, work: () => T): T {
    const started = performance.now()
    const result = work()
    this.add(stage, performance.now() - started)
    return result
  }

  async timedAsync<T>(stage: string, work: () => Promise<T>): Promise<T> {
    const started = performance.now()
    const result = await work()
    this.add(stage, performance.now() - started)
    return result
  }

  add(stage: string, ms: number): void {
    const samples = this.#samples.get(stage)
    if (samples === undefined) this.#samples.set(stage, [ms])
    else samples.push(ms)
  }

  /** Per stage: how often, and the 50th, 90th and 99th percentile in milliseconds. */
  percentiles(): Record<string, { count: number; p50: number; p90: number; p99: number }> {
    const result: Record<string, { count: number; p50: number; p90: number; p99: number }> = {}
    for (const [stage, samples] of this.#samples) {
      const sorted = Float64Array.from(samples).sort()
      const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!
      result[stage] = { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99) }
    }
    return result
  }
}
