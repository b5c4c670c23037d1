import { ApiError } from './api-error.js'

export interface RequestQueueOptions {
  /** Requests that may run at once. */
  readonly running: number
  /** Requests that may wait; a further one gets 429. */
  readonly waitingMax: number
}

/** Seconds a refused client is asked to wait when nothing is known about how long requests take. */
const RETRY_AFTER_SECONDS = 1
/** How fast the average forgets. */
const AVERAGE_WEIGHT = 0.2

/** First come, first served, bounded. Invariant: `running` never exceeds its bound, and waiting ones exist only when it is reached. */
export class RequestQueue {
  readonly #options: RequestQueueOptions
  readonly #waiting: Array<() => void> = []
  #running = 0
  #averageMs = 0
  #draining = false

  constructor(options: RequestQueueOptions) {
    this.#options = options
  }

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Resolves with the function that ends the request. Rejects with 429, 503 while draining, or the signal's reason. */
  async enter(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#draining) throw new ApiError(503, 'The server is shutting down.', { type: 'server_error' })
    if (this.#running >= this.#options.running) await this.#wait(signal)
    else this.#running++
    return this.#leaver()
  }

  /** Refuses new requests and resolves when the running and waiting ones have ended. */
  async drain(): Promise<void> {
    this.#draining = true
    while (this.#running > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve))
  }

  readonly #onIdle: Array<() => void> = []

  #wait(signal: AbortSignal): Promise<void> {
    if (this.#waiting.length >= this.#options.waitingMax) throw this.#refusal()
    return new Promise((resolve, reject) => {
      const go = (): void => {
        signal.removeEventListener('abort', giveUp)
        resolve()
      }
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1)
        reject(signal.reason)
      }
      signal.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(go)
    })
  }

  /** A place goes straight to the one that waits longest, so nobody can slip in between. */
  #leaver(): () => void {
    const started = performance.now()
    let left = false
    return () => {
      if (left) return
      left = true
      const ms = performance.now() - started
      this.#averageMs = this.#averageMs === 0 ? ms : this.#averageMs + AVERAGE_WEIGHT * (ms - this.#averageMs)
      const next = this.#waiting.shift()
      if (next !== undefined) next()
      else this.#running--
      if (this.#running === 0) for (const resolve of this.#onIdle.splice(0)) resolve()
    }
  }

  #refusal(): ApiError {
    const { running, waitingMax } = this.#options
    const seconds = Math.max(RETRY_AFTER_SECONDS, Math.ceil((this.#averageMs * (waitingMax + 1)) / running / 1000))
    return new ApiError(429, `${running} requests run and ${waitingMax} wait. Try again in ${seconds} s.`, {
      type: 'rate_limit_error',
      code: 'rate_limit_exceeded',
      headers: { 'Retry-After': String(seconds) },
    })
  }
}
