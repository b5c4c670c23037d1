import { join } from 'node:path'
import colors from 'picocolors'
import { openCache } from './cache.js'
import { killAfter } from './kill.js'
import { ratio } from './ratio.js'
import type { ReplayOptions } from './replay-options.js'
import { openRequests } from './requests.js'
import { serveAll } from './serve-all.js'
import { StandInEngine } from './stand-in-engine.js'
import { isIntact, type Survivors, verifySurvivors } from './survivors.js'
import { WorkDirectory } from './work-directory.js'

/** What survived, and how the first requests fared when they were served again from it. */
export interface CrashReport extends Survivors {
  readonly requests: number
  readonly hitRatio: number
}

/** So much is written before the kill. */
const BYTES_BEFORE_KILL = 128 * 2 ** 20
const BLOCKS_BEFORE_KILL_MAX = 2000
/** Room for what else is written until the kill arrives: nothing is evicted. */
const DISK_BLOCKS_LEAST = 4 * BLOCKS_BEFORE_KILL_MAX
/** So many requests are served from what survived. */
const REQUESTS_AFTER_KILL = 200

/**
 * Another process does the same work, and is killed with SIGKILL in the middle. This one opens the directory that it leaves,
 * verifies all that survived and serves the same requests from it.
 */
export async function crash(options: ReplayOptions, stop: AbortSignal): Promise<CrashReport | undefined> {
  console.log(
    colors.bold('\nAnd now a crash. Another process does the same and is killed with SIGKILL in the middle …'),
  )
  await using directory = await WorkDirectory.open()
  const task = {
    ...options,
    diskBlocks: Math.max(options.diskBlocks, DISK_BLOCKS_LEAST),
    dir: join(directory.path, 'cache'),
    journal: join(directory.path, 'journal'),
  }
  await killAfter(blocksBeforeKill(options.blockBytes), task, stop)
  if (stop.aborted) return undefined
  await using manager = await openCache(task)
  const survivors = await verifySurvivors(manager, await openRequests(options), task.journal)
  const requests = Math.min(options.requests, REQUESTS_AFTER_KILL)
  const tally = await serveAll(await openRequests({ ...options, requests }), new StandInEngine(manager), stop)
  if (stop.aborted) return undefined
  const wrong = survivors.wrong + tally.wrong
  return { ...survivors, wrong, requests: tally.requests, hitRatio: ratio(tally.hit, tally.seen) }
}

function blocksBeforeKill(blockBytes: number): number {
  return Math.min(Math.ceil(BYTES_BEFORE_KILL / blockBytes), BLOCKS_BEFORE_KILL_MAX)
}

/** The report as a person reads it. */
export function formatCrash(report: CrashReport): string {
  const { committed, survived, lost, verified, wrong, requests, hitRatio } = report
  const verdict = isIntact(report) ? colors.green('0 lost, 0 wrong') : colors.red(`${lost} lost, ${wrong} WRONG`)
  return [
    `  It had committed ${committed} blocks. This process opened the same directory, and ${survived} had survived.`,
    `  ${verified} verified against bytes recomputed from their hashes: ${verdict}.`,
    `  The first ${requests} requests, served again: ${(100 * hitRatio).toFixed(1)} % of their blocks came from the cache.`,
  ].join('\n')
}
