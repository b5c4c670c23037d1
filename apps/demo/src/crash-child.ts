import type { Manager } from '@kvbm/manager'
import { BlockChecker, tokensOf } from './block-content.js'
import { openCache, PAGE_SIZE } from './cache.js'
import type { ChildTask, HeirMessage, VictimMessage } from './crash-scene.js'
import { openRequests } from './requests.js'
import { Server } from './server.js'
import { Stages } from './stages.js'

const tell = (message: VictimMessage | HeirMessage): Promise<void> =>
  new Promise((resolve, reject) =>
    process.send!(message, undefined, {}, (error) => (error === null ? resolve() : reject(error))),
  )

/** Runs as one of the two child processes of the crash scene. */
export async function runChild(task: ChildTask): Promise<void> {
  const manager = await openCache({
    deviceBlocks: 400,
    hostBlocks: 800,
    diskBlocks: task.diskBlocks,
    blockBytes: task.blockBytes,
    dir: task.dir,
  })
  if (task.role === 'victim') await serveUntilKilled(manager, task)
  else await verifyAndServe(manager, task)
  await manager.close()
  process.disconnect?.()
}

/** Reports every block right after its commit to disk resolved; never ends by itself. */
async function serveUntilKilled(manager: Manager, task: ChildTask): Promise<void> {
  manager.onEvent((event) => {
    if (event.type === 'stored' && event.tier === 'disk')
      void tell({ kind: 'committed', hashes: event.hashes.toHexArray() })
  })
  const server = new Server(manager, new Stages())
  for (const request of await openRequests({ trace: undefined, seed: task.seed, requests: Number.MAX_SAFE_INTEGER }))
    await server.serve(request)
}

async function verifyAndServe(manager: Manager, task: ChildTask): Promise<void> {
  const survived = manager.status().tiers.disk!.blocks.inactive
  const { found, wrong } = await verifySurvivors(manager, task, survived)
  const server = new Server(manager, new Stages())
  let seen = 0
  let hit = 0
  let wrongLater = 0
  for (const request of await openRequests({ ...task, trace: undefined })) {
    const served = await server.serve(request)
    seen += served.seen
    hit += served.hit
    wrongLater += served.wrong
  }
  await tell({
    kind: 'result',
    survived,
    found: [...found],
    verified: found.size,
    wrong: wrong + wrongLater,
    requests: task.requests,
    hitRatio: hit / seen,
  })
}

/** Reads every surviving block once and compares it with bytes recomputed from its hash. */
async function verifySurvivors(
  manager: Manager,
  task: ChildTask,
  survived: number,
): Promise<{ found: Set<string>; wrong: number }> {
  const checker = new BlockChecker(manager.blockBytes)
  const found = new Set<string>()
  let wrong = 0
  for (const request of await openRequests({ trace: undefined, seed: task.seed, requests: Number.MAX_SAFE_INTEGER })) {
    const hashes = manager.hash(tokensOf(request.hashIds, PAGE_SIZE))
    const present = manager.disk.scan(hashes)
    for (let index = 0; index < hashes.count; index++) {
      const name = hashes.hex(index)
      if (present[index] !== 1 || found.has(name)) continue
      const blocks = manager.disk.match(hashes.subarray(index, index + 1))
      const bytes = await manager.read(blocks)
      if (bytes.length === 0 || !checker.isRight(bytes, hashes, index)) wrong++
      found.add(name)
      blocks.release()
    }
    if (found.size >= survived || request.timestamp > 3_600_000) break
  }
  return { found, wrong }
}
