import { type BlockScatter, blockBytes, type Storage } from '@kvbm/core'
import { type NativeTransferRuntime, wrapMemory } from '@kvbm/storage'
import type { KvBlockSink, KvBlockSource, KvGeometry, LendHandOver } from '../engine-driver.js'
import { ScratchPool } from '../scratch-pool.js'

/** What can be made to go wrong with blocks on their way to a driver. */
export interface BlockFaults {
  /** Blocks from this one on are damaged. */
  soundBlocks?: number
  /** The gathering throws this. */
  gatherFails?: Error
  /** Called at each step, named: a place to abort a signal. */
  step?: (name: 'lend' | 'gather' | 'store') => void
}

const NUMBERS_PER_PIECE = 4

/** Blocks in an array, without manager or tiers: what a driver's own tests put in and take out. Close it. */
export class HeldBlocks {
  readonly bytes: Uint8Array
  readonly count: number
  readonly blockBytes: number
  readonly #runtime: NativeTransferRuntime
  readonly #storage: Storage
  readonly #scratch: ScratchPool

  /** `runtime` stays the caller's. */
  constructor(runtime: NativeTransferRuntime, geometry: KvGeometry, count: number) {
    this.count = count
    this.blockBytes = blockBytes(geometry)
    this.bytes = new Uint8Array(Math.max(1, count * this.blockBytes))
    this.#runtime = runtime
    this.#storage = wrapMemory(this.bytes, { runtime })
    this.#scratch = new ScratchPool({ runtime })
  }

  /** Hand-over areas that are lent now: 0 when a driver has given everything back. */
  get lent(): number {
    return this.#scratch.status().lent
  }

  /** These blocks for `restore`. */
  source(faults: BlockFaults = {}): KvBlockSource {
    return {
      count: this.count,
      blockBytes: this.blockBytes,
      lend: this.#lend(faults),
      gather: async (pieces, into) => {
        faults.step?.('gather')
        if (faults.gatherFails !== undefined) throw faults.gatherFails
        await this.#copy(pieces, into, 'gather')
        return Math.min(this.count, faults.soundBlocks ?? this.count)
      },
    }
  }

  /** A sink for `capture` that puts the wanted blocks, from the first on, into the first of these. Default: all wanted. */
  sink(wanted: Uint8Array = new Uint8Array(this.count).fill(1), faults: BlockFaults = {}): KvBlockSink {
    return { wanted, lend: this.#lend(faults), store: (fill) => this.#store(wanted, fill, faults) }
  }

  async close(): Promise<void> {
    await this.#storage.close()
    await this.#scratch.close()
  }

  async #store(
    wanted: Uint8Array,
    fill: (blocks: BlockScatter) => Promise<void>,
    faults: BlockFaults,
  ): Promise<number> {
    faults.step?.('store')
    const count = Math.min(
      this.count,
      wanted.reduce((sum, one) => sum + one, 0),
    )
    const scatter = (pieces: Float64Array, from: Storage): Promise<void> => this.#copy(pieces, from, 'scatter')
    await fill({ count, blockBytes: this.blockBytes, scatter })
    return count
  }

  #lend(faults: BlockFaults): LendHandOver {
    return (request, use) => {
      faults.step?.('lend')
      return this.#scratch.lend(request, use)
    }
  }

  async #copy(pieces: Float64Array, handOver: Storage, direction: 'gather' | 'scatter'): Promise<void> {
    const rows: number[] = []
    for (let at = 0; at < pieces.length; at += NUMBERS_PER_PIECE) {
      const block = [this.#storage.regionId, pieces[at]! * this.blockBytes + pieces[at + 1]!]
      const outside = [handOver.regionId, pieces[at + 2]!]
      const [from, to] = direction === 'gather' ? [block, outside] : [outside, block]
      rows.push(...from, ...to, pieces[at + 3]!)
    }
    await this.#runtime.submit({ runs: Float64Array.from(rows) })
  }
}
