import { availableParallelism, loadavg } from 'node:os'
import { defineCommand, type UsageErrorOf } from './command.js'
import { findModel } from './find-model.js'
import { formatBytes, formatTable, printJson } from './format.js'
import { loadEngine } from './load-engine.js'
import { measureModel } from './measure-model.js'
import type { PrefixResult } from './measure-prefix.js'
import { readNumber } from './read-number.js'
import type { Spread } from './spread.js'

const HELP = `Usage: kvbm bench [flags]

What the cache brings for your model on your machine: time to the first token of a prompt of a prefix and 16 more tokens. Cold: all of
it evaluated. Host: the prefix restored from memory. Disk: the same after the cache was closed and opened again, so from the system's
page cache if it is still there. Ways take turns; medians with least and most. Keep the machine idle meanwhile.

  --model REF        FILE.gguf, hf:USER/REPOSITORY:QUANT, or random:smol135 (default: a small real model, downloaded once)
  --prefix N,N,…     tokens of the prefixes, multiples of 16 (default 256,512,1024)
  --rounds N         counted rounds, after one that is not (default 5)
  --threads N        threads of the engine (default: physical cores)
  --batch N          tokens that the engine evaluates at once (default 512)
  --cpu              no GPU, even where there is one
  --json             as data
  --help             this text

SAME BITS compares the logits with those of the same two steps without a cache; where they differ, by how much at most. A cache that
finds that computing is faster than restoring does not restore.`

/** `kvbm bench` */
export const bench = defineCommand({
  name: 'bench',
  help: HELP,
  flags: {
    model: { type: 'string' },
    prefix: { type: 'string', default: '256,512,1024' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string' },
    batch: { type: 'string', default: '512' },
    cpu: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
  placesMax: 0,
  async run({ flags, usageError }) {
    const prefixes = prefixesOf(flags.prefix, usageError)
    const number = (flag: 'rounds' | 'threads' | 'batch') => readNumber(flag, flags[flag], usageError)
    const [rounds, threads, batchTokens] = [number('rounds')!, number('threads'), number('batch')!]
    const engine = await loadEngine('bench')
    const { path, label } = await findModel(engine, flags.model)
    const busy = busyNote(loadavg()[0]!, availableParallelism())
    if (busy !== '') console.error(busy)
    const results = await measureModel(engine, {
      modelPath: path,
      prefixes,
      rounds,
      threads,
      batchTokens,
      gpu: flags.cpu ? false : 'auto',
      onRound: (prefix, round) => progress(`prefix ${prefix}: round ${round} of ${rounds}`),
    })
    progress('')
    if (flags.json) return printJson({ model: label, rounds, ...results })
    const { device, threads: used, prefixes: rows } = results
    console.log(
      `${label}\n${device}, ${used} threads, batch ${batchTokens}, flash attention; ${rounds} rounds; milliseconds\n`,
    )
    console.log(shown(rows))
  },
})

const PAGE = 16

function prefixesOf(text: string, usageError: UsageErrorOf): number[] {
  const prefixes = text.split(',').map((word) => readNumber('prefix', word.trim(), usageError, { least: 2 * PAGE })!)
  const odd = prefixes.find((prefix) => prefix % PAGE !== 0)
  if (odd !== undefined) throw usageError(`--prefix: expected multiples of ${PAGE}, the tokens of a block, got ${odd}.`)
  return prefixes
}

/** Times of a machine that does something else say little; empty for one that is idle. */
export function busyNote(load: number, cores: number): string {
  if (load <= cores / 2) return ''
  return `This machine is busy (load ${load.toFixed(1)} on ${cores} cores): times will be off. Try again when it is idle.`
}

function shown(rows: readonly PrefixResult[]): string {
  const head = ['PREFIX', 'COLD', 'HOST', 'GAIN', 'DISK', 'GAIN', 'STORED', 'SAME BITS']
  const times = (of: Spread, cold: Spread): string => `${(cold.median / of.median).toFixed(1)} times`
  const cells = rows.map(({ prefixTokens, cold, host, disk, storedBytes, difference }) => [
    String(prefixTokens),
    spread(cold),
    spread(host),
    times(host, cold),
    spread(disk),
    times(disk, cold),
    formatBytes(storedBytes),
    sameBits(difference),
  ])
  return formatTable(head, cells, [0])
}

function sameBits(difference: number | null): string {
  if (difference === null) return 'not restored'
  return difference === 0 ? 'yes' : `no: ${difference.toPrecision(2)}`
}

function spread({ median, least, most }: Spread): string {
  return `${median.toFixed(1)} (${least.toFixed(1)}–${most.toFixed(1)})`
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}
