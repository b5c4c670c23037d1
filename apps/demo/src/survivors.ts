import { readFile } from 'node:fs/promises'
import type { BlockHashes } from '@kvbm/core'
import type { Manager } from '@kvbm/manager'
import { BlockChecker, tokensOf } from './block-content.js'
import { PAGE_SIZE } from './cache.js'
import type { TraceRequest } from './trace.js'

/** Blocks read at once. */
const RUN_MAX = 64

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
    for (const run of runsToVerify(manager, hashes, verified)) {
      wrong += await countWrong(manager, run, checker)
      for (const name of run.toHexArray()) verified.add(name)
    }
  }
  const committed = await namesIn(journal)
  const lost = committed.filter((name) => !verified.has(name)).length
  return { committed: committed.length, survived, lost, verified: verified.size, wrong }
}

/** Blocks in a row that are on disk and were not verified yet: read at once, they take one wait and not one each. */
function* runsToVerify(
  manager: Manager,
  hashes: BlockHashes,
  verified: ReadonlySet<string>,
): Generator<BlockHashes, void, void> {
  const present = manager.disk.scan(hashes)
  const isWanted = (index: number): boolean => present[index] === 1 && !verified.has(hashes.hex(index))
  for (let from = 0; from < hashes.count; from++) {
    let to = from
    while (to < hashes.count && to - from < RUN_MAX && isWanted(to)) to++
    if (to === from) continue
    yield hashes.subarray(from, to)
    from = to - 1
  }
}

/** A block that does not come back, because the manager found it damaged, is wrong, too; those behind it are read again. */
async function countWrong(manager: Manager, run: BlockHashes, checker: BlockChecker): Promise<number> {
  const { blockBytes } = manager
  let wrong = 0
  for (let at = 0; at < run.count; ) {
    using blocks = manager.disk.match(run.subarray(at))
    const bytes = await manager.read(blocks)
    const sound = bytes.length / blockBytes
    for (let index = 0; index < sound; index++)
      if (!checker.isRight(bytes.subarray(index * blockBytes, (index + 1) * blockBytes), run, at + index)) wrong++
    at += sound
    if (at === run.count) break
    wrong++
    at++
  }
  return wrong
}

/** A line without an end was being written when the process died, so it says nothing. */
async function namesIn(journal: string): Promise<string[]> {
  const lines = (await readFile(journal, 'utf8')).split('\n').slice(0, -1)
  return [...new Set(lines)]
}
