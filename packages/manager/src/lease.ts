import { type BlockHashes, invalidArgument, type TierName } from '@kvbm/core'
import type { ImmutableBlocks } from '@kvbm/pool'

/** Consecutive blocks of a lease that lie in one tier. */
export interface LeaseRun {
  readonly tier: TierName
  readonly blocks: ImmutableBlocks
}

/**
 * The longest cached prefix of a prompt, pinned where each block is fastest to reach: nothing of it is evicted until
 * `release()`. Runs are in prompt order and cover `hashes` without gaps.
 */
export class Lease {
  readonly hashes: BlockHashes
  readonly runs: readonly LeaseRun[]

  /** Made by `match` and `onboard`. */
  constructor(hashes: BlockHashes, runs: readonly LeaseRun[]) {
    this.hashes = hashes
    this.runs = runs
  }

  /** Blocks of the prefix. */
  get count(): number {
    return this.hashes.count
  }

  /** Tokens of the prefix. */
  get tokens(): number {
    return this.count * this.hashes.pageSize
  }

  /** Blocks by the tier they are pinned in. */
  get byTier(): Record<TierName, number> {
    const counts = { device: 0, host: 0, disk: 0 }
    for (const run of this.runs) counts[run.tier] += run.blocks.count
    return counts
  }

  /** A second lease on the same blocks, released on its own. Throws `KVBM_BLOCK_CONSUMED` after `release()`. */
  retain(): Lease {
    const runs: LeaseRun[] = []
    try {
      for (const { tier, blocks } of this.runs) runs.push({ tier, blocks: blocks.retain() })
    } catch (error) {
      for (const { blocks } of runs) blocks.release()
      throw error
    }
    return new Lease(this.hashes, runs)
  }

  /** Gives the blocks back, the tail first, so that heads of prompts outlive their tails. Idempotent. */
  release(): void {
    for (let index = this.runs.length - 1; index >= 0; index--) this.runs[index]!.blocks.release()
  }

  [Symbol.dispose](): void {
    this.release()
  }
}

/** By its parts, so that the lease of another copy of the package is known, too. */
export function expectLease(lease: Lease): void {
  if (!Array.isArray(lease?.runs)) throw invalidArgument('lease', 'a Lease, as match() gives it', lease)
}
