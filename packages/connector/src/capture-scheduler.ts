import type { Clock } from './clock.js'
import { StallEstimate } from './stall-estimate.js'

/** Why a capture did not run. The names are API: reports, metrics and docs use them. */
export type CaptureSkip =
  | 'requests-waiting'
  | 'requests-decoding'
  | 'capture-running'
  | 'stall-too-long'
  | 'queue-full'
  | 'slot-moved'
  | 'nothing-new'
  | 'too-few-new'
  | 'no-cache'
  | 'not-alone'
  | 'context-shift'
  | 'declined'
  | 'failed'
  | 'closed'

export interface Measured {
  /** Bytes the engine saved, and how long it could not decode meanwhile. */
  readonly savedBytes: number
  readonly stallMs: number
}

export interface CaptureJob {
  /** Bytes the engine will have to save. */
  readonly bytes: number
  /** Runs it; undefined when nothing was saved. Never rejects. */
  run(signal: AbortSignal): Promise<Measured | undefined>
  /** It will not run. */
  skip(reason: CaptureSkip): void
}

export interface CaptureSchedulerOptions {
  readonly clock: Clock
  /** A capture that would hold the engine for longer waits until the context has been idle for a while. */
  readonly maxStallMs: number
  /** Captures that may wait; the oldest goes, because its slot has most likely moved on. Default 16. */
  readonly pendingMax?: number
}

/** One request in the context, from `begin` on. Each step may be told twice. */
export interface Activity {
  /** Its prompt is in the engine: from now on it decodes. */
  decoding(): void
  end(): void
  /** Whether no other request was in the context since this one came. */
  wasAlone(): boolean
}

/** A capture that would exceed the stall waits until the context was idle for so many times its expected stall. */
const IDLE_FACTOR = 2

/**
 * When to capture in one context, whose engine stands still meanwhile: one capture at a time; none starts while a request waits or
 * decodes, except an early one right after the prefill of a request that is alone, which must be short. A request that arrives during
 * one waits at most the engine's own save.
 */
export class CaptureScheduler {
  readonly estimate = new StallEstimate()
  readonly #clock: Clock
  readonly #maxStallMs: number
  readonly #pendingMax: number
  readonly #queue: CaptureJob[] = []
  readonly #closing = new AbortController()
  readonly #settled = new Set<() => void>()
  #arrivals = 0
  #waiting = 0
  #decoding = 0
  #idleSince: number
  #postponed = 0
  #running: Promise<void> | undefined
  #cancelTimer: (() => void) | undefined

  constructor({ clock, maxStallMs, pendingMax = 16 }: CaptureSchedulerOptions) {
    this.#clock = clock
    this.#maxStallMs = maxStallMs
    this.#pendingMax = pendingMax
    this.#idleSince = clock.now()
  }

  get pending(): number {
    return this.#queue.length
  }

  get running(): boolean {
    return this.#running !== undefined
  }

  /** Captures that had to wait for a longer idle time because of their expected stall. */
  get postponed(): number {
    return this.#postponed
  }

  /** A request enters the context: nothing starts until it ends. */
  begin(): Activity {
    const cameAlone = this.#active === 0
    const arrivals = ++this.#arrivals
    this.#waiting++
    this.#stopTimer()
    let stage: 'waiting' | 'decoding' | 'ended' = 'waiting'
    const decoding = (): void => {
      if (stage !== 'waiting') return
      stage = 'decoding'
      this.#waiting--
      this.#decoding++
    }
    const end = (): void => {
      decoding()
      if (stage === 'ended') return
      stage = 'ended'
      this.#decoding--
      if (this.#active === 0) this.#idleSince = this.#clock.now()
      this.#pump()
    }
    return { decoding, end, wasAlone: () => cameAlone && this.#arrivals === arrivals }
  }

  /** Right after a prefill: runs now, or not at all. */
  offerEarly(job: CaptureJob): void {
    const obstacle = this.#earlyObstacle(job)
    if (obstacle === undefined) this.#start(job)
    else job.skip(obstacle)
  }

  /** Runs when the context is idle. */
  offer(job: CaptureJob): void {
    if (this.#closing.signal.aborted) {
      job.skip('closed')
      return
    }
    if (this.#queue.length >= this.#pendingMax) this.#queue.shift()?.skip('queue-full')
    this.#queue.push(job)
    if (this.#isLong(job)) this.#postponed++
    this.#pump()
  }

  /** Resolves when nothing waits or runs. Until then the end of requests is waited for, but no idle time after it. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#settled.add(resolve)
      this.#pump()
    })
  }

  /** Drops what waits and aborts what runs. Resolves when it has ended. */
  async close(): Promise<void> {
    this.#stopTimer()
    this.#closing.abort(new Error('The KV cache was closed.'))
    for (const job of this.#queue.splice(0)) job.skip('closed')
    await this.#running
    this.#pump()
  }

  get #active(): number {
    return this.#waiting + this.#decoding
  }

  #earlyObstacle(job: CaptureJob): CaptureSkip | undefined {
    if (this.#closing.signal.aborted) return 'closed'
    if (this.#running !== undefined) return 'capture-running'
    if (this.#waiting > 0) return 'requests-waiting'
    if (this.#decoding > 1) return 'requests-decoding'
    return this.#isLong(job) ? 'stall-too-long' : undefined
  }

  #isLong(job: CaptureJob): boolean {
    return this.estimate.expectedMs(job.bytes) > this.#maxStallMs
  }

  #pump(): void {
    this.#stopTimer()
    if (this.#running !== undefined) return
    const next = this.#queue[0]
    if (next === undefined) this.#tellSettled()
    if (next === undefined || this.#active > 0) return
    const waitMs = this.#isLong(next) && this.#settled.size === 0 ? this.#idleLeftMs(next) : 0
    if (waitMs > 0) this.#cancelTimer = this.#clock.after(waitMs, () => this.#pump())
    else this.#start(this.#queue.shift()!)
  }

  #idleLeftMs(job: CaptureJob): number {
    return this.#idleSince + IDLE_FACTOR * this.estimate.expectedMs(job.bytes) - this.#clock.now()
  }

  #start(job: CaptureJob): void {
    this.#running = job
      .run(this.#closing.signal)
      .then((measured) => {
        if (measured !== undefined) this.estimate.learn(measured.savedBytes, measured.stallMs)
      })
      .finally(() => {
        this.#running = undefined
        this.#pump()
      })
  }

  #tellSettled(): void {
    for (const resolve of this.#settled) resolve()
    this.#settled.clear()
  }

  #stopTimer(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }
}
