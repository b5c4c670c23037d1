import type { BlockGather, Storage } from '@kvbm/core'
import type { KvBlockSource, LendHandOver } from './engine-driver.js'
import type { ScratchPool } from './scratch-pool.js'

export interface BlockSourceOptions {
  readonly gather: BlockGather
  readonly scratch: ScratchPool
  /** The first so many blocks only. */
  readonly count: number
  /** How many of the sound blocks may be used; in exact mode not every number of them can. */
  readonly usable: (sound: number) => number
}

/** The first blocks of a lease, for a driver. */
export class BlockSource implements KvBlockSource {
  readonly lend: LendHandOver
  readonly count: number
  readonly blockBytes: number
  readonly #options: BlockSourceOptions

  constructor(options: BlockSourceOptions) {
    this.lend = options.scratch.lendToRead
    this.count = options.count
    this.blockBytes = options.gather.blockBytes
    this.#options = options
  }

  async gather(pieces: Float64Array, into: Storage): Promise<number> {
    const { gather, scratch, usable } = this.#options
    try {
      return usable(Math.min(await gather.gather(pieces, into), this.count))
    } catch (error) {
      scratch.discard(into)
      throw error
    }
  }
}
