import type { Storage } from './storage.js'

/**
 * Port: the bytes of some blocks on their way into or out of an engine's hand-over storage (memory or a file). `pieces` are rows
 * of four numbers: index of the block, offset in its canonical bytes (layer, outer, token, inner), offset in the hand-over
 * storage, length in bytes. The layout of the hand-over storage is the engine's; targets of one call must not overlap.
 */
export interface BlockBytes {
  /** Blocks; indices in `pieces` are below it. */
  readonly count: number
  /** Bytes of one block. */
  readonly blockBytes: number
}

/** Port: blocks to put into an engine. */
export interface BlockGather extends BlockBytes {
  /**
   * Copies pieces of the blocks into `into`. Resolves with the number of blocks, from the first on, whose bytes are sound: what
   * was copied of later ones must not be used. Rejects with `StorageIoError`, `DeadlineError` or the signal's reason.
   */
  gather(pieces: Float64Array, into: Storage): Promise<number>
}

/** Port: blocks to fill from an engine. */
export interface BlockScatter extends BlockBytes {
  /** Copies pieces of `from` into the blocks. All of them, or a rejection. */
  scatter(pieces: Float64Array, from: Storage): Promise<void>
}
