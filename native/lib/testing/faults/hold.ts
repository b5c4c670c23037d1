import type { FaultTarget, Touch } from './fault.js'

interface Waiter {
  /** Names a job for `cancel`; other accesses have none. */
  readonly job: string | undefined
  readonly go: () => void
  readonly fail: (error: Error) => void
}

/** Stops accesses before they do anything, until released: a slow device, as slow as the test wants. */
export class Hold {
  readonly #target: FaultTarget
  readonly #waiters = new Set<Waiter>()
  readonly #watchers = new Set<() => void>()
  #released = false

  constructor(target: FaultTarget) {
    this.#target = target
  }

  /** Accesses that wait now. */
  get waiting(): number {
    return this.#waiters.size
  }

  /** Resolves when at least so many accesses wait. */
  async reached(count = 1): Promise<void> {
    while (this.#waiters.size < count) await new Promise<void>((resolve) => this.#watchers.add(resolve))
  }

  /** Lets those that wait go on, and later ones pass. */
  release(): void {
    this.#released = true
    for (const { go } of this.#waiters) go()
    this.#waiters.clear()
  }

  /** Used by the binding. Resolves when released; undefined when this access does not wait. */
  stop(touches: readonly Touch[], job: string | undefined): Promise<void> | undefined {
    if (this.#released || !touches.some((touch) => isMeant(this.#target, touch))) return undefined
    const stopped = new Promise<void>((go, fail) => this.#waiters.add({ job, go, fail }))
    for (const notify of this.#watchers) notify()
    this.#watchers.clear()
    return stopped
  }

  /** Used by the binding. True when the job waited here; it rejects then. */
  cancel(job: string): boolean {
    for (const waiter of this.#waiters) {
      if (waiter.job !== job) continue
      this.#waiters.delete(waiter)
      waiter.fail(Object.assign(new Error('The job was cancelled before it started.'), { code: 'KVBM_CANCELLED' }))
      return true
    }
    return false
  }
}

export function isMeant({ region, operation }: FaultTarget, touch: Touch): boolean {
  return (region === undefined || region === touch.region) && (operation === undefined || operation === touch.operation)
}
