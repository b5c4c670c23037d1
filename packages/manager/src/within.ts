import { DeadlineError } from '@kvbm/core'

/** How long a caller is willing to wait. */
export interface WaitOptions {
  /** Rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Rejects with `DeadlineError` after so many milliseconds. */
  readonly deadlineMs?: number | undefined
}

/**
 * Waits for `work` as long as the caller is willing to. Giving up does not stop the work: whoever started it must keep
 * what it touches alive until it settles.
 */
export async function within<T>(work: Promise<T>, what: string, { signal, deadlineMs }: WaitOptions): Promise<T> {
  if (signal === undefined && deadlineMs === undefined) return work
  signal?.throwIfAborted()
  let giveUp = (): void => {}
  const refusal = new Promise<never>((_, reject) => {
    const onAbort = (): void => reject(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    const timer =
      deadlineMs === undefined ? undefined : setTimeout(() => reject(new DeadlineError(what, deadlineMs)), deadlineMs)
    giveUp = () => {
      signal?.removeEventListener('abort', onAbort)
      clearTimeout(timer)
    }
  })
  work.catch(() => {})
  try {
    return await Promise.race([work, refusal])
  } finally {
    giveUp()
  }
}
