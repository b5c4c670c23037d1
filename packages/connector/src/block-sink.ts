import type { BlockHashes, BlockScatter } from '@kvbm/core'
import type { Manager } from '@kvbm/manager'
import type { KvBlockSink, LendHandOver } from './engine-driver.js'
import type { ScratchPool } from './scratch-pool.js'

export interface BlockSinkOptions {
  readonly manager: Manager
  readonly scratch: ScratchPool
  /** Names of the blocks `[fromBlock, toBlock)`. */
  readonly hashes: BlockHashes
  /** 1 for every one of them that is in no tier. */
  readonly wanted: Uint8Array
}

/** Consecutive blocks, from `begin` to before `end`. */
interface Run {
  readonly begin: number
  readonly end: number
}

/** Where a driver puts captured blocks: fresh blocks of the first tier, registered when they are filled. */
export class BlockSink implements KvBlockSink {
  readonly lend: LendHandOver
  readonly wanted: Uint8Array
  readonly #options: BlockSinkOptions

  constructor(options: BlockSinkOptions) {
    this.lend = options.scratch.lend
    this.wanted = options.wanted
    this.#options = options
  }

  async store(fill: (blocks: BlockScatter) => Promise<void>): Promise<number> {
    const { manager, wanted, hashes } = this.#options
    const fresh = manager.firstTier.allocateUpTo(wanted.reduce((sum, one) => sum + one, 0))
    const count = fresh.count
    try {
      if (count === 0) return 0
      await fill(manager.scatter(fresh))
      this.#register(fresh, runsOf(wanted, count), hashes)
      return count
    } finally {
      fresh.release()
    }
  }

  /** Held blocks are not evicted, so all are registered before the first is released, tails first. */
  #register(fresh: ReturnType<Manager['firstTier']['allocateUpTo']>, runs: readonly Run[], hashes: BlockHashes): void {
    const registered: { release(): void }[] = []
    let rest = fresh
    for (const { begin, end } of runs) {
      const [head, tail] = rest.split(end - begin)
      rest = tail
      registered.push(head.register(hashes.subarray(begin, end), { duplicates: 'reject' }))
    }
    for (const blocks of registered.reverse()) blocks.release()
  }
}

/** The first `count` wanted blocks as runs without gaps. */
function runsOf(wanted: Uint8Array, count: number): Run[] {
  const runs: Run[] = []
  let left = count
  for (let at = 0; at < wanted.length && left > 0; at++) {
    if (wanted[at] !== 1) continue
    const begin = at
    while (at < wanted.length && wanted[at] === 1 && left > 0) {
      at++
      left--
    }
    runs.push({ begin, end: at })
  }
  return runs
}
