import { setImmediate } from 'node:timers/promises'
import { KvBlockManager, type Lease, type Manager } from '../../src/index.js'
import { bytesOf, MODEL, PROMPT_BLOCKS, promptOf } from './content.js'

/**
 * Runs in a process of its own, with others on the same directory, until it is killed: looks up prompts of all of them, holds every
 * byte that it gets against what its name says, and computes prompts of its own. A wrong byte ends it with an error.
 */
export interface SharedTask {
  readonly path: string
  readonly diskBlocks: number
  /** Which of the processes this is. */
  readonly process: number
  readonly processes: number
  /** Prompts that are one process's own. */
  readonly prompts: number
}

/** What it says after every so many prompts. */
export interface SharedReport {
  readonly role: 'writer' | 'reader'
  /** Blocks that it got from disk and found right, by the process that computed them. */
  readonly read: readonly number[]
  readonly stored: number
  readonly readOnly: number
  readonly corrupt: number
}

const PROMPTS_PER_REPORT = 25

async function main(task: SharedTask): Promise<void> {
  // Standard input ends with whoever started this.
  process.stdin.resume().once('end', () => process.exit())
  const { path, diskBlocks } = task
  const manager = (await KvBlockManager.create(
    {
      model: MODEL,
      hostLayout: { numBlocks: 24 },
      diskLayout: { numBlocks: diskBlocks, access: 'shared', allocator: { kind: 'disk', path } },
    },
    { readerDelayMs: 20 },
  )) as unknown as Manager
  const read = new Array<number>(task.processes).fill(0)
  for (let count = 0; ; count++) {
    if (count % PROMPTS_PER_REPORT === 0) process.stdout.write(`${JSON.stringify(reportOf(manager, read))}\n`)
    await serve(manager, task, read)
    // A turn of the event loop: what is in memory already would never give one.
    await setImmediate()
  }
}

async function serve(manager: Manager, task: SharedTask, read: number[]): Promise<void> {
  const owner = random(task.processes)
  const hashes = manager.hash(promptOf(owner * task.prompts + random(task.prompts)))
  {
    using lease = manager.match(hashes)
    read[owner]! += await verify(manager, lease)
  }
  if (owner !== task.process) return
  using fresh = await manager.host.acquire(PROMPT_BLOCKS)
  await manager.write(fresh, bytesOf(hashes))
  using _named = fresh.register(hashes)
  await manager.settled()
}

/** Reads by both ways: where the blocks lie, and brought up. Gives how many came from disk. */
async function verify(manager: Manager, lease: Lease): Promise<number> {
  let fromDisk = 0
  for (const { tier, blocks } of lease.runs) {
    const bytes = await manager.read(blocks)
    const count = bytes.length / manager.blockBytes
    expectRight(bytes, bytesOf(blocks.hashes.subarray(0, count)))
    if (tier === 'disk') fromDisk += count
  }
  using up = await manager.onboard(lease)
  for (const { blocks } of up.runs) expectRight(await manager.read(blocks), bytesOf(blocks.hashes))
  return fromDisk
}

function expectRight(bytes: Uint8Array, expected: Buffer): void {
  if (!expected.equals(bytes)) throw new Error('WRONG BYTES were served')
}

function reportOf(manager: Manager, read: readonly number[]): SharedReport {
  const { tiers, edges, corrupt } = manager.status()
  const { blocks: stored, drops } = edges['host-disk']!
  return { role: tiers.disk!.role!.role, read, stored, readOnly: drops['read-only'], corrupt: corrupt.disk }
}

function random(below: number): number {
  return Math.floor(Math.random() * below)
}

await main(JSON.parse(process.argv[2]!) as SharedTask)
