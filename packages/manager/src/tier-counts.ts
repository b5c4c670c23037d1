/** Blocks of a tier by state. */
export interface BlockCounts {
  readonly total: number
  readonly free: number
  /** Cached and held by nobody: evictable. */
  readonly inactive: number
  readonly held: number
  readonly quarantined: number
}
