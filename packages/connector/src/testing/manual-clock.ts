import type { Clock } from '../clock.js'

interface Alarm {
  readonly at: number
  readonly run: () => void
}

/** A clock that stands still until it is told how much time has passed. */
export class ManualClock implements Clock {
  #now = 0
  readonly #alarms = new Set<Alarm>()

  now(): number {
    return this.#now
  }

  after(delayMs: number, run: () => void): () => void {
    const alarm = { at: this.#now + delayMs, run }
    this.#alarms.add(alarm)
    return () => void this.#alarms.delete(alarm)
  }

  /** Alarms that are set. */
  get pending(): number {
    return this.#alarms.size
  }

  /** Lets time pass; alarms that are due ring in their order, each at its time. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#alarms.delete(next)
      this.#now = Math.max(this.#now, next.at)
      next.run()
    }
    this.#now = end
  }

  #next(end: number): Alarm | undefined {
    const due = [...this.#alarms].filter(({ at }) => at <= end)
    return due.sort((a, b) => a.at - b.at)[0]
  }
}
