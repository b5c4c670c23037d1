/** How the blocks of one tier are spread over worker processes. */
export type BlockParallelismStrategy = 'leader-worker-sharded' | 'leader-worker-replicated'

/** Constants whose value is their JSON form. */
export const BlockParallelismStrategy = Object.freeze({
  /** Every worker holds its part of each block. */
  LeaderWorkerSharded: 'leader-worker-sharded',
  /** Every worker holds each block whole, as MLA does under tensor parallelism. */
  LeaderWorkerReplicated: 'leader-worker-replicated',
} as const)
