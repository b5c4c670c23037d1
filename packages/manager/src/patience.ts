import { checkWait, DeadlineError, TIMER_MS_MAX } from '@kvbm/core'

/** How long a caller is willing to wait. */
export interface WaitOptions {
  /** Rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Rejects with `DeadlineError` after so many milliseconds, for the whole call. Default: no limit of the caller's own. */
  readonly deadlineMs?: number | undefined
}

/**
 * Waits for `work` as long as the caller is willing to. Giving up does not stop the work: whoever started it must keep
 * what it touches alive until it settles.
 */
export async function within<T>(work: Promise<T>, what: string, wait: WaitOptions): Promise<T> {
  work.catch(() => {})
  return patiently(what, wait, (patience) => (patience === undefined ? work : orAbort(work, patience)))
}

/** Runs `act` with one signal for all that ends the caller's patience: the caller's own signal, and the deadline. */
export async function patiently<T>(
  what: string,
  wait: WaitOptions,
  act: (patience: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  checkWait(wait)
  const { signal, deadlineMs } = wait
  if (deadlineMs === undefined) return act(signal)
  const deadline = new AbortController()
  const expire = (): void => deadline.abort(new DeadlineError(what, deadlineMs))
  const timer = setTimeout(expire, Math.min(deadlineMs, TIMER_MS_MAX))
  try {
    return await following([signal, deadline.signal], act)
  } finally {
    clearTimeout(timer)
  }
}

/** Runs `act` with a signal that follows all of `signals`, and listens to them no longer than `act` runs. */
export async function following<T>(
  signals: readonly (AbortSignal | undefined)[],
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const given = signals.filter((signal) => signal !== undefined)
  const follower = new AbortController()
  const follow = (): void => follower.abort(given.find((signal) => signal.aborted)?.reason)
  for (const signal of given) signal.addEventListener('abort', follow)
  if (given.some((signal) => signal.aborted)) follow()
  try {
    return await act(follower.signal)
  } finally {
    for (const signal of given) signal.removeEventListener('abort', follow)
  }
}

async function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  let stopListening = (): void => {}
  const refusal = new Promise<never>((_, reject) => {
    const refuse = (): void => reject(signal.reason)
    signal.addEventListener('abort', refuse, { once: true })
    stopListening = () => signal.removeEventListener('abort', refuse)
  })
  try {
    return await Promise.race([work, refusal])
  } finally {
    stopListening()
  }
}
