import { mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { COPY_SUBJECTS } from './copy/copy-subjects.js'
import { DISK_SUBJECTS } from './disk/disk.js'
import { neverSlower } from './engine/never-slower.js'
import { overhead } from './engine/overhead.js'
import { playRestarted, RESTARTED } from './engine/restarted.js'
import { storage } from './engine/storage.js'
import { ttft } from './engine/ttft.js'
import { formatReport, type Report } from './figures.js'
import { measure, type Subject, type SubjectResult } from './harness.js'
import { hashing } from './hashing.js'
import { latency } from './latency.js'
import { describeMachine, loadNow } from './machine.js'
import { poolReplay } from './pool-replay.js'
import { printRates } from './print-rates.js'
import { reopen } from './reopen.js'
import { soak } from './soak/soak.js'
import { playSoakServer, SOAK_SERVER } from './soak/soak-server.js'

interface RateOptions {
  /** Where files are made and removed. */
  readonly directory: string
  /** Of the file whose blocks are read and written in random order. */
  readonly workingSetBytes: number
}

const SUBJECTS: Readonly<Record<string, (options: RateOptions) => Subject | Promise<Subject>>> = {
  pool: poolReplay,
  hashing,
  ...COPY_SUBJECTS,
  ...DISK_SUBJECTS,
  reopen,
}

interface EngineOptions {
  readonly models: readonly string[]
  readonly rounds: number
  /** Of the soak. */
  readonly seconds: number
}

/** Under a real engine: minutes each, so only when asked for. */
const ENGINE: Readonly<Record<string, (options: EngineOptions) => Promise<Report[]>>> = {
  'engine-ttft': ttft,
  'engine-never-slower': neverSlower,
  'engine-overhead': overhead,
  'engine-storage': storage,
  soak,
}

/** Reports of the parts: seconds each. */
const PARTS: Readonly<Record<string, (options: EngineOptions) => Promise<Report[]>>> = { latency }

const HELP = `Usage: npm run bench -- [flags]

Measures the hot paths against a peer and against the machine's limit in the same run: contenders take turns, rates are medians
with their spread, ratios are taken round by round. With --only engine the cache under a real engine.

  --only NAME      one of: ${Object.keys({ ...SUBJECTS, ...PARTS }).join(', ')},
                   ${Object.keys(ENGINE).join(', ')}; engine, disk, disk-1m, …: those that begin so
  --rounds N       counted rounds (default 9, of engine 5)
  --models REF,…   models of engine-ttft (default random:llama1b,random:smol135)
  --directory DIR  where the disk subjects make their files and remove them (default the system's for temporary files)
  --working-set N  GiB of the file that they read and write in random order (default 4; twice that is taken meanwhile)
  --seconds N      how long the soak loads its server (default 600)
  --out FILE       where the result goes as JSON (default bench/results/latest.json)
  --help           this text
`

const FLAGS = {
  only: { type: 'string' },
  rounds: { type: 'string' },
  models: { type: 'string', default: 'random:llama1b,random:smol135' },
  directory: { type: 'string', default: tmpdir() },
  'working-set': { type: 'string', default: '4' },
  seconds: { type: 'string', default: '600' },
  out: { type: 'string', default: 'bench/results/latest.json' },
  help: { type: 'boolean' },
} as const

async function main(): Promise<void> {
  const { values } = parseArgs({ options: FLAGS })
  if (values.help === true) return void console.log(HELP)
  const isWanted = (name: string): boolean => values.only === name || name.startsWith(`${values.only}-`)
  const subjects = Object.keys(SUBJECTS).filter((name) => values.only === undefined || isWanted(name))
  const parts = Object.keys(PARTS).filter((name) => values.only === undefined || isWanted(name))
  const engine = Object.keys(ENGINE).filter(isWanted)
  const rounds = Number(values.rounds ?? (engine.length > 0 ? 5 : 9))
  const seconds = Number(values.seconds)
  const workingSetBytes = Number(values['working-set']) * 2 ** 30
  const isSense = isCount(rounds) && isCount(seconds) && workingSetBytes > 0
  if (subjects.length + parts.length + engine.length === 0 || !isSense)
    throw new Error(`Unknown subject or bad number.\n${HELP}`)
  const load = loadNow()
  const results: (SubjectResult | Report)[] = []
  for (const name of subjects)
    results.push(await measureRates(name, rounds, { directory: values.directory, workingSetBytes }))
  const options = { rounds, seconds, models: values.models.split(',') }
  for (const name of [...parts, ...engine]) results.push(...(await report(name, options)))
  await mkdir(dirname(values.out), { recursive: true })
  const machine = { ...describeMachine(), load }
  await writeFile(
    values.out,
    `${JSON.stringify({ machine, measuredAt: new Date().toISOString(), results }, null, 2)}\n`,
  )
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0
}

async function measureRates(name: string, rounds: number, options: RateOptions): Promise<SubjectResult> {
  showProgress(`  ${name} …`)
  const progress = (round: number): void => showProgress(`  ${name}: round ${round + 1} of ${rounds} `)
  const result = await measure(await SUBJECTS[name]!(options), rounds, progress)
  showProgress('')
  printRates(result)
  return result
}

async function report(name: string, options: EngineOptions): Promise<Report[]> {
  showProgress(`  ${name} …`)
  const reports = await (PARTS[name] ?? ENGINE[name])!(options)
  showProgress('')
  for (const report of reports) console.log(formatReport(report))
  return reports
}

function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}

/** Processes that a subject starts run this program, too. */
const CHILDREN: Readonly<Record<string, (task: never) => Promise<unknown>>> = {
  [RESTARTED]: playRestarted,
  [SOAK_SERVER]: playSoakServer,
}

const child = CHILDREN[process.argv[2] ?? '']
const running = child === undefined ? main() : child(JSON.parse(process.argv[3]!) as never)
running.catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
})
