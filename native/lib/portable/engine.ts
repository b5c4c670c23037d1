import type { TransferJob } from '@kvbm/core'
import { type DiskPace, IN_BACKGROUND, ON_THREADS } from '../binding.js'
import { PortableJob } from './job.js'
import type { PortableRegions } from './regions.js'

interface Queued {
  readonly ticket: number
  readonly inBackground: boolean
  readonly start: () => void
  readonly cancel: () => void
}

/**
 * As many jobs at a time as the native engine would have threads. Copies run on the JavaScript thread in turns, file I/O on
 * libuv's threads; neither keeps the process alive when idle.
 */
export class PortableEngine {
  readonly #regions: PortableRegions
  readonly #threads: number
  #jobsMax: number
  readonly #queue: Queued[] = []
  readonly #unsettled = new Set<Promise<void>>()
  #running = 0
  #closed = false

  constructor(regions: PortableRegions, threads: number) {
    this.#regions = regions
    this.#threads = threads
    this.#jobsMax = threads
  }

  /** A job has one request under way at a time here, so the depth bounds jobs. Requests are as short as they are. */
  tune({ depth }: DiskPace): void {
    this.#jobsMax = Math.min(this.#threads, depth)
    while (this.#startNext());
  }

  async submit(ticket: number, job: TransferJob, flags: number): Promise<void> {
    if (this.#closed) throw new RangeError('engine: it is closed')
    const work = new PortableJob(this.#regions, job)
    if (work.small && (flags & ON_THREADS) === 0) return work.runNow()
    const release = this.#regions.hold(work.regions.values())
    const done = this.#enqueue(ticket, work, (flags & IN_BACKGROUND) !== 0).finally(release)
    this.#unsettled.add(done)
    try {
      await done
    } finally {
      this.#unsettled.delete(done)
    }
  }

  /** True when the job waited; it rejects then. */
  cancel(ticket: number): boolean {
    const index = this.#queue.findIndex((queued) => queued.ticket === ticket)
    if (index < 0) return false
    for (const queued of this.#queue.splice(index, 1)) queued.cancel()
    return true
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#unsettled)
  }

  #enqueue(ticket: number, work: PortableJob, inBackground: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const start = (): void =>
        void work
          .run()
          .finally(() => this.#ended())
          .then(resolve, reject)
      this.#insert({ ticket, inBackground, start, cancel: () => reject(cancelled()) })
      this.#startNext()
    })
  }

  /** Behind all others, or before those in the background. */
  #insert(queued: Queued): void {
    const first = queued.inBackground ? -1 : this.#queue.findIndex(({ inBackground }) => inBackground)
    this.#queue.splice(first < 0 ? this.#queue.length : first, 0, queued)
  }

  /** Whether there was one that could start. */
  #startNext(): boolean {
    if (this.#running >= this.#jobsMax) return false
    const next = this.#queue.shift()
    if (next === undefined) return false
    this.#running++
    next.start()
    return true
  }

  #ended(): void {
    this.#running--
    this.#startNext()
  }
}

function cancelled(): Error {
  return Object.assign(new Error('The job was cancelled before it started.'), { code: 'KVBM_CANCELLED' })
}
