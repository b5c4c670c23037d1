import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { copy } from './copy.js'
import { disk } from './disk.js'
import { measure, type Subject, type SubjectResult } from './harness.js'
import { hashing } from './hashing.js'
import { describeMachine } from './machine.js'
import { poolReplay } from './pool-replay.js'

const SUBJECTS: Readonly<Record<string, () => Subject | Promise<Subject>>> = { pool: poolReplay, hashing, copy, disk }

const HELP = `Usage: npm run bench -- [flags]

Measures the hot paths against a peer and against the machine's limit in the same run: contenders take turns, rates are medians
with their spread, ratios are taken round by round.

  --only NAME    one of: ${Object.keys(SUBJECTS).join(', ')}
  --rounds N     counted rounds (default 9)
  --out FILE     where the result goes as JSON (default bench/results/latest.json)
  --help         this text
`

const number = (value: number): string =>
  value >= 1e9
    ? `${(value / 1e9).toFixed(2)} G`
    : value >= 1e6
      ? `${(value / 1e6).toFixed(2)} M`
      : value >= 1e3
        ? `${(value / 1e3).toFixed(1)} k`
        : value.toFixed(1)

function print(result: SubjectResult): void {
  console.log(`\n${result.name}: ${result.work} (${result.rounds} rounds)`)
  for (const { name, rate } of result.contenders) {
    console.log(
      `  ${name.padEnd(48)} ${number(rate.median)}${result.unit}  (${number(rate.min)} – ${number(rate.max)})`,
    )
  }
  for (const { against, ratio } of result.ratios) {
    console.log(`  ${ratio.median.toFixed(2)} times ${against}  (${ratio.min.toFixed(2)} – ${ratio.max.toFixed(2)})`)
  }
}

async function main(): Promise<void> {
  const flags = {
    only: { type: 'string' },
    rounds: { type: 'string', default: '9' },
    out: { type: 'string', default: 'bench/results/latest.json' },
    help: { type: 'boolean' },
  } as const
  const { values } = parseArgs({ options: flags })
  if (values.help === true) return void console.log(HELP)
  const rounds = Number(values.rounds)
  const chosen = Object.entries(SUBJECTS).filter(([name]) => values.only === undefined || values.only === name)
  if (chosen.length === 0 || !Number.isSafeInteger(rounds) || rounds < 1)
    throw new Error(`Unknown subject or bad number of rounds.\n${HELP}`)
  const results: SubjectResult[] = []
  for (const [name, make] of chosen) {
    const result = await measure(
      await make(),
      rounds,
      (round) => process.stderr.isTTY && process.stderr.write(`\r  ${name}: round ${round + 1} of ${rounds} `),
    )
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
    print(result)
    results.push(result)
  }
  await mkdir(dirname(values.out), { recursive: true })
  await writeFile(
    values.out,
    `${JSON.stringify({ machine: describeMachine(), measuredAt: new Date().toISOString(), results }, null, 2)}\n`,
  )
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
})
