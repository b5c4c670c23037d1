/** How often a stage was passed, and how long it took, in milliseconds. */
export interface Percentiles {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
}

/** How long requests spent in each stage. */
export class StageTimes {
  readonly #samples = new Map<string, number[]>()

  timed<T>(stage: string, work: () => T): T {
    const started = performance.now()
    const result = work()
    this.#add(stage, performance.now() - started)
    return result
  }

  async timedAsync<T>(stage: string, work: () => Promise<T>): Promise<T> {
    const started = performance.now()
    const result = await work()
    this.#add(stage, performance.now() - started)
    return result
  }

  percentiles(): Record<string, Percentiles> {
    return Object.fromEntries([...this.#samples].map(([stage, samples]) => [stage, percentilesOf(samples)]))
  }

  #add(stage: string, ms: number): void {
    const samples = this.#samples.get(stage)
    if (samples === undefined) this.#samples.set(stage, [ms])
    else samples.push(ms)
  }
}

function percentilesOf(samples: readonly number[]): Percentiles {
  const sorted = Float64Array.from(samples).sort()
  const at = (share: number): number => sorted[Math.floor(share * sorted.length)]!
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99) }
}
