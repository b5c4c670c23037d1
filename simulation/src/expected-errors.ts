import { KvbmError, type KvbmErrorCode } from '@kvbm/core'

/** The reason of signals that a history aborts. */
export class Leaving extends Error {}

const CODES: readonly KvbmErrorCode[] = [
  'KVBM_STORAGE_IO',
  'KVBM_STORAGE_FULL',
  'KVBM_BLOCK_CONSUMED',
  'KVBM_POOL_EXHAUSTED',
  'KVBM_DEADLINE',
  'KVBM_CLOSED',
]

/** Failures that a call in the middle of a history may meet. Whoever shares handles among calls may find them gone. */
export function isExpected(error: unknown): boolean {
  if (error instanceof Leaving) return true
  if (error instanceof RangeError && /blocks are held|was discarded|being (written|filled)/.test(error.message))
    return true
  if (error instanceof TypeError && /no tier below|is not below/.test(error.message)) return true
  return CODES.some((code) => KvbmError.is(error, code))
}
