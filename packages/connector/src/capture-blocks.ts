import { type BlockHashes, TIER_NAMES } from '@kvbm/core'
import type { Manager } from '@kvbm/manager'
import { BlockSink } from './block-sink.js'
import type { CaptureSkip } from './capture-scheduler.js'
import type { CaptureOutcome, KvEngineDriver } from './engine-driver.js'
import type { ScratchPool } from './scratch-pool.js'

export interface CaptureParts<Slot> {
  readonly driver: KvEngineDriver<Slot>
  readonly manager: Manager
  readonly scratch: ScratchPool
  readonly slot: Slot
  readonly tokens: Uint32Array
  /** Names of the blocks up to `toBlock`. */
  readonly hashes: BlockHashes
  /** Blocks from this one on are left out. */
  readonly toBlock: number
  /** A hit must become longer by so many blocks. */
  readonly gainMin: number
  readonly signal: AbortSignal
}

/** Copies the blocks that are in no tier out of the engine. Rejects as the driver does. */
export async function captureBlocks<Slot>(parts: CaptureParts<Slot>): Promise<CaptureOutcome | CaptureSkip> {
  const { driver, manager, scratch, slot, tokens, hashes, signal } = parts
  const present = presentIn(manager, hashes)
  const fromBlock = present.indexOf(0)
  const toBlock = present.lastIndexOf(0, parts.toBlock - 1) + 1
  if (fromBlock < 0) return 'nothing-new'
  // The head of the prompt must not be what makes room for its tail.
  manager.firstTier.touch(hashes)
  // Not how many are new: one that is missing at the front makes the whole rest unreachable.
  if (parts.toBlock - fromBlock < parts.gainMin) return 'too-few-new'
  const wanted = present.slice(fromBlock, toBlock).map((one) => 1 - one)
  const sink = new BlockSink({ manager, scratch, hashes: hashes.subarray(fromBlock, toBlock), wanted })
  return driver.capture({ slot, tokens, fromBlock, toBlock, sink, signal })
}

/** 1 for every block that is in some tier. */
function presentIn(manager: Manager, hashes: BlockHashes): Uint8Array {
  const present = new Uint8Array(hashes.count)
  for (const name of TIER_NAMES) {
    if (!manager.tiers.includes(name)) continue
    const here = manager[name].scan(hashes)
    for (let index = 0; index < present.length; index++) present[index]! |= here[index]!
  }
  return present
}
