import { textOf } from './shown.js'

/**
 * Calls code of somebody else whose failure must not become ours: `failed` is told why it threw or, where it returned a promise,
 * rejected.
 */
export function attempt(call: () => unknown, failed: (why: string) => void): void {
  const tell = (error: unknown): void => failed(textOf(error))
  try {
    const result = call()
    if (isThenable(result)) Promise.resolve(result).catch(tell)
  } catch (error) {
    tell(error)
  }
}

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value
}
