import { type Figure, figure, type Goal, type Report, ratios } from '../figures.js'
import { turns } from '../harness.js'
import { temporaryDirectory } from '../temporary-directory.js'
import { type CaptureSample, captureAgain } from './captures.js'
import { dropPageCache } from './drop-page-cache.js'
import { Engine } from './engine.js'
import { fastestSettings, type Tried } from './fastest-settings.js'
import { llamaServerNote } from './llama-server.js'
import { PromptSource } from './prompt-source.js'
import type { Sample, Way } from './way.js'
import { cold, fromDisk, fromHost, keptSequence, stateFiles, type World } from './ways.js'

export interface TtftOptions {
  readonly models: readonly string[]
  readonly rounds: number
}

const PREFIX_TOKENS = 1024
const TAIL_TOKENS = 16

/** Cold ÷ ours, by model and place. */
const GOALS: Readonly<Record<string, Readonly<Record<string, Goal>>>> = {
  'random:llama1b': { 'from host': { atLeast: 26 }, 'from disk after restart': { atLeast: 24 } },
  'random:smol135': { 'from host': { atLeast: 12.5 }, 'from disk after restart': { atLeast: 12.5 } },
}

/** Parts that are ours, in milliseconds, for 33.6 MB: the other model has less. */
const RESTORE_GOAL: Goal = { atMost: 35 }
const CAPTURE_GOAL: Goal = { atMost: 30 }

/** Time to the first token of a prompt whose prefix was seen before: every way to it, in turn. */
export async function ttft({ models, rounds }: TtftOptions): Promise<Report[]> {
  const reports: Report[] = []
  for (const model of models) reports.push(await measureModel(model, rounds))
  return reports
}

async function measureModel(reference: string, rounds: number): Promise<Report> {
  await using directory = await temporaryDirectory()
  await using engine = await Engine.load(reference)
  const source = new PromptSource(engine.model)
  const prefix = source.take(PREFIX_TOKENS)
  const tail = () => source.take(TAIL_TOKENS)
  const { fastest, tried } = await fastestSettings(engine, [...prefix, ...tail()])
  const settings = { ...fastest, flashAttention: true }
  const contextTokens = PREFIX_TOKENS + 4 * TAIL_TOKENS
  const world = { engine, fastest, settings, prefix, contextTokens, directory: directory.path }
  const measured = await measureWays(world, tail, rounds)
  return {
    name: 'engine-ttft',
    work: `${PREFIX_TOKENS} tokens seen before and ${TAIL_TOKENS} new ones to the first token, CPU, ${engine.label}`,
    setup: { ...fastest, 'page cache dropped': await dropPageCache(directory.path) },
    figures: figuresOf(measured, GOALS[reference] ?? {}),
    notes: [`cold settings tried: ${tried.map(formatTried).join('; ')}`, llamaServerNote()],
  }
}

interface Measured {
  /** By the names of the ways; the first one is cold. */
  readonly samples: ReadonlyMap<string, readonly Sample[]>
  readonly captures: readonly CaptureSample[]
  readonly ourBytes: number
  readonly fileBytes: number
}

async function measureWays(
  world: World,
  tail: () => ReturnType<PromptSource['take']>,
  rounds: number,
): Promise<Measured> {
  const host = await fromHost(world)
  const files = await stateFiles(world)
  const ways: Way[] = [await cold(world), host, await fromDisk(world), await keptSequence(world), ...files.ways]
  const samples = new Map(ways.map(({ name }): [string, Sample[]] => [name, []]))
  const captures: CaptureSample[] = []
  // The first round warms up and is not counted.
  for (let round = -1; round < rounds; round++) {
    for (const index of turns(ways.length, Math.max(0, round))) {
      const sample = await ways[index]!.ask(tail())
      if (round >= 0) samples.get(ways[index]!.name)!.push(sample)
    }
    await host.ask(tail())
    const capture = await captureAgain(host.kv, host.sequence, { tail: tail(), tenant: `round ${round}` })
    if (round >= 0) captures.push(capture)
  }
  await host.kv.close()
  return { samples, captures, ourBytes: host.storedBytes, fileBytes: files.storedBytes }
}

function figuresOf(
  { samples, captures, ourBytes, fileBytes }: Measured,
  goals: Readonly<Record<string, Goal>>,
): Figure[] {
  const timesOf = (name: string): number[] => samples.get(name)!.map(({ ms }) => ms)
  const times = [...samples.keys()].flatMap((name) => {
    const restores = samples.get(name)!.flatMap(({ restoreMs }) => restoreMs ?? [])
    const part = restores.length === 0 ? [] : [figure(`  of it restoring`, 'ms', restores, RESTORE_GOAL)]
    return [figure(name, 'ms', timesOf(name)), ...part]
  })
  const gains = [...samples.keys()]
    .slice(1)
    .map((name) => figure(`cold ÷ ${name}`, 'times', ratios(timesOf('cold'), timesOf(name)), goals[name]))
  return [
    ...times,
    ...gains,
    figure(
      `capture of ${captures[0]!.blocks} blocks`,
      'ms',
      captures.map(({ ms }) => ms),
      CAPTURE_GOAL,
    ),
    figure(
      '  of it the engine stands still',
      'ms',
      captures.map(({ stallMs }) => stallMs),
    ),
    figure(
      '  of it storing',
      'ms',
      captures.map(({ ms, stallMs }) => ms - stallMs),
    ),
    figure('stored for the prefix, blocks', 'bytes', [ourBytes]),
    figure('stored for the prefix, state file', 'bytes', [fileBytes]),
  ]
}

function formatTried({ threads, batchTokens, flashAttention, ms }: Tried): string {
  return `${threads} threads, batch ${batchTokens}, flash ${flashAttention ? 'on' : 'off'} ${ms.toFixed(0)} ms`
}
