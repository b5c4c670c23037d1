/** Whose requests those of a sequence are, from the next one on. */
export interface RequestSettings {
  /** Blocks of one tenant are invisible to others. */
  readonly tenant?: string | undefined
  /**
   * Bits of a run without cache: shorter hits, blocks of their own, and only while no other sequence of the context decodes. Default
   * false.
   */
  readonly exact?: boolean | undefined
  /** Ends the request when it aborts; a restore that runs then rejects with its reason. */
  readonly signal?: AbortSignal | undefined
}
