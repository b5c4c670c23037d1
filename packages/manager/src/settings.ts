/** Limits of the manager. Every queue and wait has one; docs/architecture.md says where each acts. */
export interface ManagerSettings {
  /** Blocks waiting for background offload, per edge. Default 8192: two long prompts at 16 tokens a block. */
  readonly offloadQueueMax: number
  /** Background copies in flight, per edge. Default 4, as in the original. */
  readonly offloadConcurrency: number
  /** Blocks of one copy. Default 64: megabytes per job keep a disk busy. */
  readonly transferBatchMax: number
  /** Bytes of staging memory for blocks that pass from disk without room in the host tier. Default 16 MiB, at least one block. */
  readonly stagingBytes: number
  /** Longest wait for one copy, in milliseconds. Default 30,000. */
  readonly transferDeadlineMs: number
  /** Longest wait of `close()` for copies in flight, in milliseconds. Default 10,000. */
  readonly closeDeadlineMs: number
  /** Fill blocks with 0xDD when they are handed out. Default: when NODE_ENV is `development`. */
  readonly poison: boolean
}

/** The bounds of a manager that was given none. `poison` depends on `NODE_ENV`: on in development only. */
export const DEFAULT_SETTINGS: Omit<ManagerSettings, 'poison'> = Object.freeze({
  offloadQueueMax: 8192,
  offloadConcurrency: 4,
  transferBatchMax: 64,
  stagingBytes: 16 * 2 ** 20,
  transferDeadlineMs: 30_000,
  closeDeadlineMs: 10_000,
})

export function resolveSettings(given: Partial<ManagerSettings> = {}): ManagerSettings {
  return { ...DEFAULT_SETTINGS, poison: process.env['NODE_ENV'] === 'development', ...given }
}
