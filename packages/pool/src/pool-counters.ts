/** What happened in a pool since it was made. All plain counters. */
export class PoolCounters {
  /** Blocks found by `match`. */
  hits = 0
  /** Blocks that `match` was asked for beyond what it found. */
  misses = 0
  /** Blocks handed out to be filled. */
  allocations = 0
  /** Cached blocks that lost their name to make room. */
  evictions = 0
  /** Blocks that became matchable by `register`. */
  registrations = 0
  /** Blocks registered whose hash was there already. */
  duplicates = 0
  /** Blocks that became matchable by `restore`. */
  restored = 0
  /** Blocks that lost their name by `discard`. */
  discards = 0
  /** Blocks that lost their name by `reset` or `resetBlocks`. */
  resets = 0
  /** Calls that failed or fell short because there was no room for them. */
  exhausted = 0
  /** Callers of `acquire` that had to wait. */
  waits = 0
  /** Waiting callers that gave up: aborted, past their deadline, or without hope. */
  waitsFailed = 0
  /** Handles that were garbage-collected before they were released. */
  leaks = 0
  /** Exceptions of the observer or the event manager. */
  listenerErrors = 0
}
