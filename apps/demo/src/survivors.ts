import { readFile } from 'node:fs/promises'
import type { BlockHashes } from '@kvbm/core'
import type { Manager } from '@kvbm/manager'
import { BlockChecker, tokensOf } from './block-content.js'
import { PAGE_SIZE } from './cache.js'
import type { TraceRequest } from './trace.js'

/** What is left on disk of a process that was killed. */
export interface Survivors {
  /** Blocks that the process had written into its journal as committed. */
  readonly committed: number
  /** Blocks that are on disk. More than `committed`: some were on disk before the journal could say so. */
  readonly survived: number
  /** Committed, and not on disk. Must be 0. */
  readonly lost: number
  /** Survivors that were read and compared with bytes recomputed from their hashes. Must be all. */
  readonly verified: number
  /** Verified, and not what they must be. Must be 0. */
  readonly wrong: number
}

/** Nothing lost, nothing wrong, nothing on disk that nobody can name. */
export function isIntact({ survived, lost, verified, wrong }: Survivors): boolean {
  return lost === 0 && wrong === 0 && verified === survived
}

/** Reads every block on disk, finding its name among those of `requests`, and compares it with what it must be. */
export async function verifySurvivors(
  manager: Manager,
  requests: Iterable<TraceRequest>,
  journal: string,
): Promise<Survivors> {
  const survived = manager.status().tiers.disk!.blocks.inactive
  const checker = new BlockChecker(manager.blockBytes)
  const verified = new Set<string>()
  let wrong = 0
  for (const { hashIds } of requests) {
    if (verified.size === survived) break
    const hashes = manager.hash(tokensOf(hashIds, PAGE_SIZE))
    for (const index of presentOnDisk(manager, hashes)) {
      const name = hashes.hex(index)
      if (verified.has(name)) continue
      using block = manager.disk.match(hashes.subarray(index, index + 1))
      if (!checker.isRight(await manager.read(block), hashes, index)) wrong++
      verified.add(name)
    }
  }
  const committed = await namesIn(journal)
  const lost = committed.filter((name) => !verified.has(name)).length
  return { committed: committed.length, survived, lost, verified: verified.size, wrong }
}

function presentOnDisk(manager: Manager, hashes: BlockHashes): number[] {
  return [...manager.disk.scan(hashes).entries()].filter(([, present]) => present === 1).map(([index]) => index)
}

/** A line without an end was being written when the process died, so it says nothing. */
async function namesIn(journal: string): Promise<string[]> {
  const lines = (await readFile(journal, 'utf8')).split('\n').slice(0, -1)
  return [...new Set(lines)]
}
