import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { resolveModel } from '@kvbm/node-llama-cpp/models'
import { Engine } from '../engine/engine.js'
import { PromptSource } from '../engine/prompt-source.js'
import { type Figure, figure, type Goal, type Report } from '../figures.js'
import { temporaryDirectory } from '../temporary-directory.js'
import { type Asked, askForSeconds, type Load } from './clients.js'
import { judge, type Verdict } from './journal.js'
import { memoryGrowth } from './memory-growth.js'
import { type Recomputed, recompute } from './recompute.js'
import { type Replayed, replay } from './replay.js'
import { ServerProcess, type Settled } from './server-process.js'

/** A toy answers so fast that minutes hold thousands of requests. */
const MODEL = 'random:tiny'
const CLIENTS = 32
/** The server is killed at these parts of the time; it lives for the rest of it without one. */
const KILLS = [1 / 8, 2 / 8, 3 / 8]
const SOME: Goal = { atLeast: 1 }
const NONE: Goal = { atLeast: 0, atMost: 0 }
const NOTES_MAX = 10
const REPLAYED = 50
const RECOMPUTED = 20
/**
 * Blocks were computed beside others, in batches cut elsewhere, so a recomputation has other last bits. F16 KV may differ by so many times
 * what two batch sizes of the engine make of the same prompts.
 */
const TOLERANCE = 1.5

/** A server under load that is killed and started again: every byte that comes back must be one that was captured. */
export async function soak({ seconds }: { readonly seconds: number }): Promise<Report[]> {
  await using directory = await temporaryDirectory()
  const { path: modelPath, label } = await resolveModel(MODEL)
  const place = (name: string): string => join(directory.path, name)
  const task = { modelPath, dir: place('cache'), journal: place('journal'), port: 0 }
  const server = new ServerProcess(task)
  await server.url()
  const notes: string[] = []
  const source = await sourceOf(modelPath)
  const load = askForSeconds({
    server,
    source,
    clients: CLIENTS,
    seconds,
    onFailure: (sentence) => notes.push(sentence),
  })
  await killInTurn(server, seconds)
  const { tally, completed } = await load
  const settled = await server.settled()
  const exitCode = await server.stop()
  const prompts = completed.slice(-RECOMPUTED).map(({ prompt }) => prompt)
  const recomputed = await recompute(modelPath, task.dir, prompts)
  const empty = { ...task, dir: place('empty'), journal: place('second journal') }
  const replayed = await replayEmpty(empty, sample(completed, REPLAYED))
  const verdict = judge(task.journal)
  const findings = { tally, settled, exitCode, memory: server.memory.at(-1)!, verdict, recomputed, replayed }
  return [
    {
      name: 'soak',
      work: `${CLIENTS} clients for ${seconds} s, ${KILLS.length} SIGKILLs, 1 thread, CPU, ${label}`,
      setup: { clients: CLIENTS, seconds, kills: KILLS.length, 'lives of the server': server.memory.length },
      figures: figuresOf(findings),
      notes: [...notes.slice(0, NOTES_MAX), `final life: ${JSON.stringify(settled.counters)}`],
    },
  ]
}

/** Tokens are all that is needed of the model here. */
async function sourceOf(modelPath: string): Promise<PromptSource> {
  await using engine = await Engine.load(modelPath)
  return new PromptSource(engine.model)
}

async function killInTurn(server: ServerProcess, seconds: number): Promise<void> {
  const started = performance.now()
  for (const part of KILLS) {
    await sleep(Math.max(0, started + part * seconds * 1000 - performance.now()))
    await server.kill()
  }
}

/** Spread evenly over all that came to their end. */
function sample(completed: readonly Asked[], count: number): Asked[] {
  const every = Math.max(1, Math.floor(completed.length / count))
  return completed.filter((_, index) => index % every === 0).slice(0, count)
}

async function replayEmpty(
  task: ConstructorParameters<typeof ServerProcess>[0],
  requests: readonly Asked[],
): Promise<Replayed> {
  const server = new ServerProcess(task)
  try {
    return await replay(server, requests)
  } finally {
    await server.stop()
  }
}

interface Findings {
  readonly tally: Load['tally']
  readonly settled: Settled
  readonly exitCode: number | null
  /** Of the last life. */
  readonly memory: readonly number[]
  readonly verdict: Verdict
  readonly recomputed: Recomputed
  readonly replayed: Replayed
}

function figuresOf({ tally, settled, exitCode, memory, verdict, recomputed, replayed }: Findings): Figure[] {
  const count = (name: string, value: number, goal?: Goal): Figure => figure(name, '', [value], goal)
  return [
    count('requests completed', tally.completed, SOME),
    count('given up by the client', tally.aborted, SOME),
    count('cut by a kill', tally.cut),
    count('answered with an error', tally.failed, NONE),
    count('stuck', tally.stuck, NONE),
    count('areas still on loan at the end', settled.lent, NONE),
    count('exit code at SIGTERM', exitCode ?? -1, NONE),
    count('sampled blocks captured', verdict.captured, SOME),
    count('  different prefixes among them', verdict.names),
    count('sampled blocks handed over to the engine', verdict.restored, SOME),
    count('  wrong', verdict.wrong, NONE),
    figure('growth of memory, last quarter of the last life', '%', [memoryGrowth(memory)], { atMost: 5 }),
    figure('memory at the end', 'bytes', [memory.at(-1)!]),
    count('blocks computed again', recomputed.blocks, SOME),
    figure('  largest difference to those restored', '%', [100 * recomputed.difference]),
    figure('  the same for two batch sizes of the engine', '%', [100 * recomputed.engineDifference]),
    figure('  one ÷ the other', 'times', [recomputed.difference / recomputed.engineDifference], { atMost: TOLERANCE }),
    count('requests replayed in exact mode', replayed.requests, SOME),
    count('  tokens from the cache', replayed.hitTokens, SOME),
    count('  with another text than without cache', replayed.different, NONE),
  ]
}
