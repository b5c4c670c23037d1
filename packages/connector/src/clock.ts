/** Time as an option, so that no policy needs real time to be tested. */
export interface Clock {
  /** Milliseconds that only grow. */
  now(): number
  /** Calls `run` once after `delayMs`; returns how to take that back. Does not keep the process alive. */
  after(delayMs: number, run: () => void): () => void
}

/** The machine's monotonic clock. */
export const systemClock: Clock = Object.freeze({
  now: () => performance.now(),
  after: (delayMs: number, run: () => void) => {
    const timer = setTimeout(run, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
})
