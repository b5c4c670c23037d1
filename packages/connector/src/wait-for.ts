import type { Clock } from './clock.js'

/** Resolves after `delayMs`, or earlier when the signal aborts. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(delayMs, done)
    if (signal?.aborted) done()
    else signal?.addEventListener('abort', done, { once: true })
  })
}

/** What `work` gives, or the signal's reason if that comes first. The work goes on then. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  signal.throwIfAborted()
  let stop = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
  })
  work.catch(() => {})
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** True when `work` settles within `limitMs`; its result does not matter. */
export async function settlesWithin(clock: Clock, limitMs: number, work: Promise<unknown>): Promise<boolean> {
  const gaveUp = new AbortController()
  const settled = work.then(
    () => true,
    () => true,
  )
  const late = pause(clock, limitMs, gaveUp.signal).then(() => false)
  const first = await Promise.race([settled, late])
  gaveUp.abort()
  return first
}
