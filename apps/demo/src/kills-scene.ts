import { join } from 'node:path'
import { openCache } from './cache.js'
import type { DoomedTask } from './doomed-process.js'
import { blockBytesOf, parseFlags, wholeNumber } from './flags.js'
import { abortOnInterrupt } from './interrupt.js'
import { JsonFile } from './json-file.js'
import { killAfter } from './kill.js'
import { type Kill, reportKills } from './kills-report.js'
import { Random } from './random.js'
import { openRequests } from './requests.js'
import type { Scene } from './scene.js'
import { isIntact, type Survivors, verifySurvivors } from './survivors.js'
import type { TraceRequest } from './trace.js'
import { WorkDirectory } from './work-directory.js'

const HELP = `Usage: npm run demo -- kills [flags]

Kills one process after the other with SIGKILL while it serves requests, several on the same directory, at moments drawn by chance.
After each kill the disk tier is opened again: every block that a process had reported as committed must be there, those of earlier
processes too, and every block must have the bytes that its hash says.

  --runs N             how many processes (default 20)
  --lives N            how many of them share a directory before a new one is begun (default 10)
  --seed N             seed of requests and moments (default 1)
  --block-bytes N      bytes of one block, a multiple of 4096 (default 16384)
  --json FILE          write the report as data, too
  --help               this text

The exit code is 0 when nothing was lost and nothing wrong in any run, 1 when not, 2 for a flag that cannot be used.
`

const FLAGS = {
  runs: { type: 'string' },
  lives: { type: 'string' },
  seed: { type: 'string' },
  'block-bytes': { type: 'string' },
  json: { type: 'string' },
  help: { type: 'boolean' },
} as const

/** A process is killed after so many commits at most. */
const COMMITS_MAX = 500
/** About 4,800 blocks: far more than are committed before the kill arrives. */
const REQUESTS_PER_RUN = 200
/** Room for all blocks of a run: nothing is evicted. */
const DISK_BLOCKS_PER_RUN = 8192

/** Kill and reopen, many times. */
export const killsScene: Scene = {
  summary: 'kills process after process, and looks for what each had committed',
  help: HELP,
  async play(args) {
    const flags = parseFlags(args, FLAGS)
    const runs = wholeNumber(flags, 'runs', { fallback: 20, least: 1, most: 100_000 })
    const lives = wholeNumber(flags, 'lives', { fallback: 10, least: 1, most: 100 })
    const seed = wholeNumber(flags, 'seed', { fallback: 1, least: 0, most: 2 ** 31 })
    const blockBytes = blockBytesOf(flags, 16_384)
    const json = await JsonFile.open(flags.get('json'))
    const started = performance.now()
    const kills = await killInTurn({ runs, lives, seed, blockBytes }, abortOnInterrupt())
    const intact = kills.filter(isIntact).length
    console.log(`\n${intact} of ${kills.length} times nothing was lost and nothing wrong.`)
    const seconds = (performance.now() - started) / 1000
    await json.write(reportKills(kills, { seed, blockBytes, lives, seconds }))
    return intact === kills.length ? 0 : 1
  },
}

interface KillsOptions {
  readonly runs: number
  readonly lives: number
  readonly seed: number
  readonly blockBytes: number
}

async function killInTurn(options: KillsOptions, stop: AbortSignal): Promise<Kill[]> {
  const random = new Random(options.seed)
  const kills: Kill[] = []
  while (kills.length < options.runs && !stop.aborted)
    kills.push(...(await killOnOneDirectory(kills.length, options, random, stop)))
  return kills
}

/** Lives of one directory. What they leave grows, and with it the time to verify it: so a directory has only so many. */
async function killOnOneDirectory(
  first: number,
  options: KillsOptions,
  random: Random,
  stop: AbortSignal,
): Promise<Kill[]> {
  await using directory = await WorkDirectory.open()
  const kills: Kill[] = []
  while (kills.length < options.lives && first + kills.length < options.runs) {
    const run = first + kills.length
    const task = taskOf(run, options, directory.path)
    await killAfter(1 + random.below(COMMITS_MAX), task, stop)
    if (stop.aborted) break
    const survivors = await reopen(task, options.seed + first)
    const kill = { run: run + 1, own: survivors.committed - (kills.at(-1)?.committed ?? 0), ...survivors }
    kills.push(kill)
    console.log(formatKill(kill))
  }
  return kills
}

/** Every process serves chats of its own. */
function taskOf(run: number, { lives, seed, blockBytes }: KillsOptions, directory: string): DoomedTask {
  return {
    dir: join(directory, 'cache'),
    journal: join(directory, 'journal'),
    trace: undefined,
    seed: seed + run,
    requests: REQUESTS_PER_RUN,
    deviceBlocks: 200,
    hostBlocks: 400,
    diskBlocks: lives * DISK_BLOCKS_PER_RUN,
    blockBytes,
  }
}

/** Opens the disk tier alone, and verifies what the processes on it so far have left in it. */
async function reopen(task: DoomedTask, firstSeed: number): Promise<Survivors> {
  await using manager = await openCache({ ...task, deviceBlocks: 0, hostBlocks: 0 })
  return await verifySurvivors(manager, await requestsSince(firstSeed, task), task.journal)
}

/** What the processes on this directory so far were given to serve. */
async function requestsSince(firstSeed: number, task: DoomedTask): Promise<TraceRequest[]> {
  const all: TraceRequest[] = []
  for (let seed = firstSeed; seed <= task.seed; seed++) all.push(...(await openRequests({ ...task, seed })))
  return all
}

function formatKill({ run, committed, survived, lost, wrong }: Kill): string {
  return `  ${String(run).padStart(4)}  ${committed} blocks committed in this directory, ${survived} survived: ${lost} lost, ${wrong} wrong`
}
