import { parseArgs } from 'node:util'
import { addFacts, type Facts, noFacts } from './facts.js'
import { simulate } from './simulate.js'
import { SimulationFailure } from './simulation-failure.js'

const HELP = `Usage: npm run simulate -- [flags]

Lives histories of a block manager on a simulated machine: a seed decides what the user does, what happens when, and what goes
wrong: errors, torn and slow accesses, flipped bits, full disks, lost devices, kills and power cuts. After each step no wrong byte
was served, no committed block is lost and no place is held by nobody. Runs until stopped, or until a seed finds something.

  --seed N     the first seed (default 1); alone, without --seeds, only this one is lived
  --seeds N    how many seeds (default: until Ctrl-C)
  --trace      print everything that happens
  --help       this text

The exit code is 0 when all held, 1 when a seed found something (it is printed), 2 for a flag that cannot be used.
`

const FLAGS = {
  seed: { type: 'string' },
  seeds: { type: 'string' },
  trace: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h' },
} as const

interface Task {
  readonly first: number
  readonly count: number
  readonly trace: boolean
}

/** Gives the exit code. */
async function main(): Promise<number> {
  const task = parse()
  if (task === undefined) return 0
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  const facts = noFacts()
  try {
    const lived = await liveAll(task, facts, stop.signal)
    console.log(`${lived} seeds from ${task.first} on, all held.\n${formatFacts(facts)}`)
    return 0
  } catch (error) {
    if (!(error instanceof SimulationFailure)) throw error
    console.error(`\n${error.message}\n${(error.cause as Error).stack ?? ''}`)
    return 1
  }
}

async function liveAll({ first, count, trace }: Task, facts: Facts, stop: AbortSignal): Promise<number> {
  const started = Date.now()
  let lived = 0
  for (; lived < count && !stop.aborted; lived++) {
    const options = trace ? { onNote: (line: string) => console.log(line) } : {}
    const outcome = await simulate(first + lived, options)
    addFacts(facts, outcome.facts)
    if (trace) console.log(`digest ${outcome.digest}`)
    showProgress(`  seed ${first + lived}: ${lived + 1} lived, ${rate(lived + 1, started)} a second, all held`)
  }
  showProgress('')
  return lived
}

function parse(): Task | undefined {
  const { values } = parseArgs({ options: FLAGS })
  if (values.help === true) {
    console.log(HELP)
    return undefined
  }
  const first = wholeNumber('--seed', values.seed ?? '1')
  const isOne = values.seed !== undefined && values.seeds === undefined
  const count = values.seeds === undefined ? Number.POSITIVE_INFINITY : wholeNumber('--seeds', values.seeds, 1)
  return { first, count: isOne ? 1 : count, trace: values.trace }
}

function wholeNumber(flag: string, text: string, least = 0): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value
  throw new TypeError(`${flag}: expected a whole number of ${least} or more, got '${text}'. See --help.`)
}

function formatFacts(facts: Facts): string {
  return Object.entries(facts)
    .map(([name, count]) => `  ${name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).padEnd(20)} ${count}`)
    .join('\n')
}

function rate(count: number, startedMs: number): string {
  return ((1000 * count) / Math.max(1, Date.now() - startedMs)).toFixed(1)
}

function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}

main().then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error))
    process.exitCode = 2
  },
)
