import { KvbmError } from '@kvbm/core'

/** Undefined when the manager was closed meanwhile. */
export function unlessClosed<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch (error) {
    if (KvbmError.is(error, 'KVBM_CLOSED')) return undefined
    throw error
  }
}
