import { openSync, writeSync } from 'node:fs'
import { type CacheOptions, openCache } from './cache.js'
import { openRequests, type RequestSource } from './requests.js'
import { StandInEngine } from './stand-in-engine.js'

/** What a process that is to be killed works on. */
export interface DoomedTask extends CacheOptions, RequestSource {
  /** File that gets the name of each block, one a line, after the disk tier has committed the block. */
  readonly journal: string
}

/** What it says: how many more blocks are in the journal, and at last that there is nothing more to do. */
export interface DoomedMessage {
  readonly committed: number
  readonly hasEnded: boolean
}

/** First argument of the program when it is started to be killed. */
export const DOOMED = '--doomed'

/** Serves requests in a process of its own, tells of every commit, and then waits for its death. */
export async function playDoomed(task: DoomedTask): Promise<number> {
  // Ctrl-C on a terminal reaches this process, too. What it means is up to the parent.
  process.on('SIGINT', () => {})
  process.on('disconnect', () => process.exit(1))
  const manager = await openCache(task)
  const journal = openSync(task.journal, 'a')
  manager.onEvent((event) => {
    if (event.type !== 'stored' || event.tier !== 'disk') return
    writeSync(journal, event.hashes.toHexArray().join('\n').concat('\n'))
    tell({ committed: event.hashes.count, hasEnded: false })
  })
  const engine = new StandInEngine(manager)
  for (const request of await openRequests(task)) {
    const { wrong } = await engine.serve(request)
    if (wrong > 0) throw new Error(`${wrong} blocks of a request were wrong.`)
  }
  await manager.settled()
  tell({ committed: 0, hasEnded: true })
  return 0
}

function tell(message: DoomedMessage): void {
  process.send?.(message)
}
