/**
 * Port: the bytes of some blocks, for engine adapters. `pieces` are rows of three numbers: index of the block, offset in
 * its canonical bytes, length; they are taken in order. @experimental Used by the connector.
 */
export interface BlockBytes {
  readonly count: number
  readonly blockBytes: number
  /** Copies the pieces, one after another, into `into`. */
  gather(pieces: Float64Array, into: Uint8Array): Promise<void>
  /** Copies `from`, piece after piece, into the blocks. */
  scatter(pieces: Float64Array, from: Uint8Array): Promise<void>
}
