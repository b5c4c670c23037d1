import { TIER_NAMES } from '@kvbm/core'
import colors from 'picocolors'
import { ratio } from './ratio.js'
import type { EdgeReport, Report } from './report.js'
import type { Percentiles } from './stage-times.js'

/** The report as a person reads it. */
export function formatReport(report: Report): string {
  const lines = [
    headline(report),
    '',
    '  Where the tokens came from',
    ...sources(report),
    '',
    `  Hit ratio   ${percent(report.hitRatio)} of all blocks; a cache without limits would reach ${percent(report.infiniteHitRatio)}`,
    `  Verified    ${whole(report.blocks.verified)} blocks byte for byte, ${verdict(report.blocks.wrong)}`,
    ...table('Moved', ['blocks', 'MiB', 'GB/s per copy', 'dropped'], Object.entries(report.edges).map(edgeRow)),
    ...table('Latency per request, ms', ['p50', 'p90', 'p99', 'times'], Object.entries(report.stages).map(stageRow)),
    '',
    `  Memory ${mebibytes(report.memoryBytes)}, disk ${mebibytes(report.diskBytes)}, ${report.machine.binding} core, ${report.machine.cores} × ${report.machine.cpu}`,
  ]
  return lines.join('\n')
}

function headline({ requests, blocks, seconds, isInterrupted }: Report): string {
  const text = `\n${whole(requests)} requests, ${whole(blocks.seen)} blocks in ${seconds.toFixed(1)} s`
  return colors.bold(text) + (isInterrupted ? colors.yellow('  (interrupted)') : '')
}

function sources({ tokens }: Report): string[] {
  const all = Object.values(tokens).reduce((sum, count) => sum + count, 0)
  return ([...TIER_NAMES, 'computed'] as const).map((name) => {
    const share = ratio(tokens[name], all)
    return `    ${name.padEnd(9)} ${bar(share)} ${percent(share).padStart(8)} ${whole(tokens[name]).padStart(14)} tokens`
  })
}

function verdict(wrong: number): string {
  return wrong === 0 ? colors.green('0 wrong') : colors.red(`${whole(wrong)} WRONG`)
}

type Row = readonly [name: string, ...cells: string[]]

/** Nothing where there are no rows. */
function table(title: string, columns: readonly string[], rows: readonly Row[]): string[] {
  if (rows.length === 0) return []
  const line = (name: string, cells: readonly string[]): string =>
    name.padEnd(26) + cells.map((cell, index) => cell.padStart(columns[index]!.length + 3).padStart(11)).join('')
  return ['', line(`  ${title}`, columns), ...rows.map(([name, ...cells]) => line(`    ${name}`, cells))]
}

function edgeRow([name, { blocks, bytes, gbPerSecond, dropped }]: [string, EdgeReport]): Row {
  return [name.replace('-', ' → '), whole(blocks), whole(bytes / 2 ** 20), gbPerSecond.toFixed(2), whole(dropped)]
}

function stageRow([name, { p50, p90, p99, count }]: [string, Percentiles]): Row {
  return [name, milliseconds(p50), milliseconds(p90), milliseconds(p99), whole(count)]
}

function bar(share: number, width = 28): string {
  const filled = Math.round(share * width)
  return '█'.repeat(filled) + colors.dim('░'.repeat(width - filled))
}

const whole = (value: number): string => Math.round(value).toLocaleString('en-US')
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`
const mebibytes = (bytes: number): string => `${whole(bytes / 2 ** 20)} MiB`
const milliseconds = (ms: number): string => ms.toFixed(ms < 10 ? 2 : 0)
