import { ApiError } from './api-error.js'

export interface AdmissionOptions {
  /** Requests that the model runs at once. */
  readonly running: number
  /** Requests that may wait inside the model for one of these to end; a further one gets 429. */
  readonly waitingMax: number
}

/** Seconds a refused client is asked to wait when nothing is known about how long requests take. */
const RETRY_AFTER_SECONDS = 1
/** How fast the average forgets. */
const AVERAGE_WEIGHT = 0.2

/** How many requests may be in a model. It keeps nobody waiting: the model's own queue does, so that its cache sees who waits. */
export class Admission {
  readonly #options: AdmissionOptions
  readonly #onEmpty: Array<() => void> = []
  #inside = 0
  /** How long requests stay, their wait included: when it is full, about the time until all that are inside now have left. */
  #averageMs = 0
  #draining = false

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /** Returns how to leave, which may be called twice. Throws 429 when it is full, 503 while draining. */
  enter(): () => void {
    if (this.#draining) throw new ApiError(503, 'The server is shutting down.', { type: 'server_error' })
    if (this.#inside >= this.#options.running + this.#options.waitingMax) throw this.#refusal()
    this.#inside++
    return this.#leaver()
  }

  /** Refuses new requests and resolves when all others have left. */
  async drain(): Promise<void> {
    this.#draining = true
    if (this.#inside > 0) await new Promise<void>((resolve) => this.#onEmpty.push(resolve))
  }

  #leaver(): () => void {
    const entered = performance.now()
    let left = false
    return () => {
      if (left) return
      left = true
      const ms = performance.now() - entered
      this.#averageMs = this.#averageMs === 0 ? ms : this.#averageMs + AVERAGE_WEIGHT * (ms - this.#averageMs)
      if (--this.#inside === 0) for (const resolve of this.#onEmpty.splice(0)) resolve()
    }
  }

  #refusal(): ApiError {
    const { running, waitingMax } = this.#options
    const seconds = Math.max(RETRY_AFTER_SECONDS, Math.ceil(this.#averageMs / 1000))
    return new ApiError(429, `${running} requests run and ${waitingMax} wait. Try again in ${seconds} s.`, {
      type: 'rate_limit_error',
      code: 'rate_limit_exceeded',
      headers: { 'Retry-After': String(seconds) },
    })
  }
}
